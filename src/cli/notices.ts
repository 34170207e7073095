// Tells the gateways from the command line that something in the store has changed: through the database where it
// carries messages (PostgreSQL), else through the control socket of the gateway on this machine. Where none runs there is
// nobody to tell; gateways look by themselves now and then.
import { ControlError, noticeGateway } from '../gateway/control-client.ts';
import type { Workplace } from './context.ts';

export const tellGateways = async (
  { config, store }: Workplace,
  topic: string,
  payload: string,
): Promise<void> => {
  if (store.kind === 'postgres') {
    await store.notify(topic, payload);
    return;
  }
  try {
    await noticeGateway(config, topic, payload);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
  }
};
