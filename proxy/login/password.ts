// Hashes and checks passwords with argon2id at OWASP's setting (19 MiB, two passes, one lane). Users that don't exist or
// have no password are checked against a decoy hash of the same cost, so that time tells nothing.
// It keeps no count of failures (lockout.ts) and doesn't bound how many run at once (turns.ts).
import { randomBytes } from 'node:crypto';
import { hash, parseOptions, verify } from '@node-rs/argon2';

// The package's `Algorithm` is a const enum, which can't be used under isolated modules; 2 is argon2id by RFC 9106.
const ARGON2ID = 2;
const COST = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const LONGEST_PASSWORD = 1024;
/** What a stored hash may cost at most: a hash from elsewhere must not stall the gateway. */
const HIGHEST_MEMORY_KIB = 262_144;
const HIGHEST_PASSES = 16;

export interface PasswordChecker {
  /** Whether `password` fits `passwordHash`. Undefined, or a hash that can't be used: false, at the decoy's cost. */
  check(password: string, passwordHash: string | undefined): Promise<boolean>;
  /** Argon2 verifications done so far, decoys included. */
  readonly verifications: number;
}

/** Hashes a password for storage: argon2id, PHC string form. Throws a RangeError for one of 0 or more than 1,024 bytes. */
export async function hashPassword(password: string): Promise<string> {
  const bytes = Buffer.byteLength(password);
  if (bytes === 0 || bytes > LONGEST_PASSWORD) throw new RangeError('a password has 1 to 1,024 bytes');
  return hash(password, COST);
}

/** True when `passwordHash` was made with a lower cost than new hashes are, or can't be read. */
export function needsRehash(passwordHash: string): boolean {
  const cost = costOf(passwordHash);
  return cost === undefined || cost.memoryCost < COST.memoryCost || cost.timeCost < COST.timeCost;
}

/** True for an argon2id hash in PHC form whose cost is one that the gateway is willing to pay. */
export function isUsableHash(passwordHash: string): boolean {
  const cost = costOf(passwordHash);
  return cost !== undefined && cost.memoryCost <= HIGHEST_MEMORY_KIB && cost.timeCost <= HIGHEST_PASSES;
}

export async function createPasswordChecker(): Promise<PasswordChecker> {
  const decoy = await hash(randomBytes(32), COST);
  let verifications = 0;
  return {
    get verifications() {
      return verifications;
    },
    async check(password, passwordHash) {
      const bytes = Buffer.byteLength(password);
      const acceptable = bytes > 0 && bytes <= LONGEST_PASSWORD;
      const real = passwordHash !== undefined && isUsableHash(passwordHash) ? passwordHash : undefined;
      verifications++;
      try {
        const matches = await verify(real ?? decoy, acceptable ? password : '\0');
        return matches && real !== undefined && acceptable;
      } catch {
        // A hash whose parameters read well but that can't be verified is no password at all.
        return false;
      }
    },
  };
}

function costOf(passwordHash: string): { memoryCost: number; timeCost: number } | undefined {
  if (!passwordHash.startsWith('$argon2id$')) return undefined;
  try {
    return parseOptions(passwordHash);
  } catch {
    return undefined;
  }
}
