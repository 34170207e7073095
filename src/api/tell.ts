// Tells the gateways that something in the store has changed: through the database where it carries messages, else through
// the control socket. Where none runs there is nobody to tell; gateways look by themselves now and then.
import { ControlError } from '../gateway/control-client.ts';
import type { ApiParts } from './parts.ts';

export const tellGateways = async (parts: ApiParts, topic: string, payload: string): Promise<void> => {
  if (parts.store.kind === 'postgres') {
    await parts.store.notify(topic, payload);
    return;
  }
  try {
    await parts.gateway.notice(topic, payload);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
  }
};
