// Paths as text: joining, normalising, last element. No file system is asked, so symbolic links stay what they are.

/** The part after the last slash; trailing slashes are dropped first. */
export function basename(path: string): string {
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === 47) end--;
  const slash = path.lastIndexOf('/', end - 1);
  return slash < 0 ? path.slice(0, end) : path.slice(slash + 1, end) || '/';
}

/** Resolves `.`, `..` and doubled slashes. `~` at the start is kept as the home directory's name. */
export function normalisePath(path: string): string {
  const rooted = path.startsWith('/');
  if (!path.includes('//') && !path.includes('.') && !(path.length > 1 && path.endsWith('/'))) return path;
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      const last = out[out.length - 1];
      if (last !== undefined && last !== '..' && last !== '~') out.pop();
      else if (!rooted) out.push(part);
    } else out.push(part);
  }
  const joined = out.join('/');
  return rooted ? `/${joined}` : joined === '' ? '.' : joined;
}

/** Absolute form of a word that names a path; undefined when it can't be one or the directory is not known. */
export function absolutePath(word: string, directory: string | undefined): string | undefined {
  const first = word.charCodeAt(0);
  if (first === 47) return normalisePath(word);
  if (first === 126) {
    // ~ alone is the user's home, whose path differs from device to device: it keeps its name.
    if (word === '~' || word.startsWith('~/')) return normalisePath(word);
    if (word === '~root' || word.startsWith('~root/')) return normalisePath(`/root${word.slice(5)}`);
    return undefined;
  }
  if (directory === undefined || first === 45 || word === '') return undefined;
  return normalisePath(directory === '/' ? `/${word}` : `${directory}/${word}`);
}
