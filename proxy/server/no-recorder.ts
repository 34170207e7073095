// Stands in where a session runs without a recording: before it is started, or under `best-effort` when it can't be.
import type { SessionRecorder } from '../channels/ports.ts';

export class NoRecorder implements SessionRecorder {
  readonly pendingBytes = 0;
  onDrain: (() => void) | undefined;
  onFailure: ((error: Error) => void) | undefined;
  channelStarted(): void {}
  input(): void {}
  output(): void {}
  resize(): void {}
  exit(): void {}
  channelEnded(): void {}
  async close(): Promise<void> {}
}
