// `sallyport demo`: a gateway, a device and users to try, on loopback, with nothing but Node. Not for production: every
// secret is made at start and the device runs shells as the person who started it.
import type { Command } from 'commander';

export const registerDemo = (program: Command): void => {
  program.command('demo').description('try the gateway on this machine: device, users and secrets included');
};
