// Takes out of the log of commands what rules take out of recordings (`recordings.redact`), before a row is written: so it
// stands in no store, no event, no message to other systems and no log either. What was decided is not touched: rules
// judge what was typed. Each row is looked at by itself: if a text that goes on over lines were followed from row to row,
// whoever types its beginning could do unseen what comes behind it.
import type { AuditedCommand, RowRedaction } from '../../proxy/audit/ports.ts';
import type { RedactionRules } from '../../recordings/redaction-rules.ts';

/** Of what the analysis found, the fields whose words are its own or names of commands. */
const OWN_WORDS = new Set(['grammar', 'name', 'via', 'why', 'where', 'hint', 'operation']);
const GONE = '[redacted]';

/** Every text within a value but those of such fields: in what words a secret stands there is not known. */
const withoutTexts = (value: unknown): unknown => {
  if (typeof value === 'string') return GONE;
  if (Array.isArray(value)) return value.map(withoutTexts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, OWN_WORDS.has(key) ? one : withoutTexts(one)]),
  );
};

class RuledRedaction implements RowRedaction {
  readonly #rules: RedactionRules;

  constructor(rules: RedactionRules) {
    this.#rules = rules;
  }

  row(row: AuditedCommand): AuditedCommand {
    const kept = {
      ...row,
      typed: this.#rules.redact(row.typed),
      command: this.#rules.redact(row.command),
      candidates: row.candidates.map((text) => this.#rules.redact(text)),
      word: this.#rules.redact(row.word),
    };
    const same =
      kept.typed === row.typed &&
      kept.command === row.command &&
      kept.candidates.every((text, index) => text === row.candidates[index]);
    const detail = this.detail(row.detail);
    if (!same) {
      return {
        ...kept,
        analysed: this.#rules.redactWithin(withoutTexts(row.analysed)),
        detail: detail.replace(/".*"/s, `"${GONE}"`),
        rules: row.rules.map((rule) => ({ ...rule, why: 'what was typed' })),
      };
    }
    // A word without its quotes may match where the line does not.
    return {
      ...kept,
      analysed: this.#rules.redactWithin(row.analysed),
      detail,
      rules: row.rules.map((rule) => ({ ...rule, why: this.#rules.redact(rule.why) })),
    };
  }

  detail(text: string): string {
    return this.#rules.redact(text);
  }
}

/** For the rows of one channel; undefined when there is nothing to take out. */
export const commandRedaction = (rules: RedactionRules | undefined): RowRedaction | undefined =>
  rules === undefined || rules.isEmpty ? undefined : new RuledRedaction(rules);
