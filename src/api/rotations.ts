// Rotations that the API has set going: a few at a time, each for as long as its device takes, also when whoever asked has
// gone. What became of each is in the store; a process that ends in between leaves what the gateway settles later.
import { usualAccess } from '../credentials/device-command.ts';
import { type RotationOutcome, type RotationRequest, rotateCredential } from '../credentials/rotation.ts';
import type { ApiParts } from './parts.ts';
import { ApiProblem } from './problem.ts';

const MOST_AT_ONCE = 8;
/** How long whoever asked waits for the outcome. Milliseconds. */
const ANSWER_WITHIN = 25_000;

export class Rotations {
  readonly #parts: ApiParts;
  #running = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** Undefined: it goes on. Throws ApiProblem, and what rotateCredential throws. */
  async rotate(request: RotationRequest): Promise<RotationOutcome | undefined> {
    if (this.#running >= MOST_AT_ONCE)
      throw new ApiProblem('SP_API_TOO_MANY', 'too many rotations are under way', [], 30);
    this.#running += 1;
    const work = this.#run(request).finally(() => {
      this.#running -= 1;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        // Nobody waits any more for how it ends: the store has it, and the log what went wrong.
        work.catch((error: unknown) => this.#parts.log.warn('api.rotation-failed', { error }));
        resolve(undefined);
      }, ANSWER_WITHIN);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #run(request: RotationRequest): Promise<RotationOutcome> {
    const { store, vault, events, now, log } = this.#parts;
    const told = (fields: object, message: string): void =>
      log.debug('rotation.dial', { ...fields, message });
    return rotateCredential(
      {
        store,
        vault,
        events,
        now,
        access: usualAccess(store, { info: told, warn: told }),
      },
      request,
    );
  }
}
