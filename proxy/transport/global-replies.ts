// Tells the answers to our own keep-alive questions from those that the layer above waits for. Global requests are
// answered in order (RFC 4254, section 4) and carry no number, so every question that asks for a reply is noted
// here when it is sent, whoever asks. Peers that don't know global requests answer UNIMPLEMENTED with the packet's
// number instead; that counts as the answer, too.

/** More unanswered questions than any honest use needs. */
export const WAITING_LIMIT = 1_024;

export type Asker = 'keepalive' | 'layer-above';

interface Question {
  readonly asker: Asker;
  /** Sequence number of its packet; undefined when it waited for a key exchange. */
  readonly sequence: number | undefined;
}

export class GlobalReplies {
  readonly #waiting: Question[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  asked(asker: Asker, sequence: number | undefined): void {
    this.#waiting.push({ asker, sequence });
  }

  /** Whose question a REQUEST_SUCCESS or REQUEST_FAILURE answers; undefined: nobody asked. */
  answered(): Asker | undefined {
    return this.#waiting.shift()?.asker;
  }

  /** Whose question the peer did not understand; undefined: the packet was no question of ours. */
  notUnderstood(sequence: number): Asker | undefined {
    const index = this.#waiting.findIndex((question) => question.sequence === sequence);
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0]?.asker;
  }
}

/** True for a GLOBAL_REQUEST payload that asks for a reply. */
export function asksForReply(payload: Buffer): boolean {
  if (payload.length < 6) return false;
  const flag = payload[5 + payload.readUInt32BE(1)];
  return flag !== undefined && flag !== 0;
}
