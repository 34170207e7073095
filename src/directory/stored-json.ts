// Reads the JSON text that the directory itself wrote to the store. A row that doesn't hold what it should is an error,
// never a default: a list of channels that can't be read must not become one that allows something.
import { DirectoryError } from './errors.ts';

export const readStringList = (text: string, what: string): readonly string[] => {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) {
      const items: unknown[] = value;
      const strings = items.filter((item) => typeof item === 'string');
      if (strings.length === items.length) return strings;
    }
  } catch {
    // Told below.
  }
  throw new DirectoryError('SP_INVALID', `${what} in the store is not a list of words`);
};

export const readListOfLists = (text: string, what: string): readonly (readonly string[])[] => {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value.map((item) => readStringList(JSON.stringify(item), what));
  } catch {
    // Told below.
  }
  throw new DirectoryError('SP_INVALID', `${what} in the store is not a list of lists of words`);
};

/** The word, when it is one of those allowed. */
export const oneOf = <Word extends string>(words: readonly Word[], text: string): Word | undefined =>
  words.find((word) => word === text);

/** The words that are allowed; any other is an error. */
export const allOf = <Word extends string>(
  words: readonly Word[],
  list: readonly string[],
  what: string,
): Word[] =>
  list.map((text) => {
    const word = oneOf(words, text);
    if (word === undefined)
      throw new DirectoryError('SP_INVALID', `${what} in the store holds an unknown word`);
    return word;
  });
