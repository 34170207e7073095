// Text of ours that reaches a person's terminal or error stream. Whatever came from elsewhere and is quoted in it
// loses its control characters, so that nobody's terminal runs a device's or another user's escape sequences.

const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const MAX_TEXT = 4096;

/** Removes everything that could steer a terminal, line feeds aside. */
export function plainText(text: string): string {
  return text.slice(0, MAX_TEXT).replace(CONTROL, '');
}

/** A message of the gateway, each line marked as such; `onTerminal` chooses the line ends of a raw terminal. */
export function gatewayText(text: string, onTerminal: boolean): Buffer {
  const end = onTerminal ? '\r\n' : '\n';
  const lines = plainText(text)
    .split('\n')
    .map((line) => `sallyport: ${line}`);
  return Buffer.from(`${onTerminal ? end : ''}${lines.join(end)}${end}`, 'utf8');
}
