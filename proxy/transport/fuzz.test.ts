// A part of the fuzzing budget on every run; `node test/fuzz/transport.ts` spends all of it.
import { expect, it } from 'vitest';
import { fuzz } from '../../test/fuzz/transport.ts';

it('survives changed handshakes and messages, and no one else notices', async () => {
  const result = await fuzz(20_26, 600, 3_000);
  // The changes reach every stage: some handshakes survive them, others fail in each of these ways.
  expect(result.handshakesDone).toBeGreaterThan(20);
  expect(result.messagesDelivered).toBeGreaterThan(500);
  expect(result.bystanderAnswers).toBeGreaterThan(12);
  for (const code of ['SP_BAD_IDENTIFICATION', 'SP_KEY_EXCHANGE_FAILED', 'SP_PROTOCOL_VIOLATION']) {
    expect(result.ends[code]).toBeGreaterThan(0);
  }
  expect(result.ends['SP_TRANSPORT_INTERNAL']).toBeUndefined();
}, 60_000);
