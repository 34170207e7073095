// Options of everyday commands: which short and long spellings mean the same, so that a rule on `rm` with flags r and f
// meets `rm -rf`, `rm -r -f`, `rm -fr`, `rm --recursive --force` and `rm --recurs -f` alike.

type Table = Readonly<Record<string, readonly string[]>>;

const recursive: Table = { r: ['R', 'recursive'], f: ['force'], v: ['verbose'], i: ['interactive'] };
const copying: Table = {
  ...recursive,
  a: ['archive'],
  p: ['preserve'],
  u: ['update'],
  n: ['no-clobber'],
  t: ['target-directory'],
};

/** For each command: a spelling and those that mean the same. Single letters are short options. */
const tables: Readonly<Record<string, Table>> = {
  rm: { ...recursive, d: ['dir'] },
  cp: copying,
  mv: { f: ['force'], n: ['no-clobber'], t: ['target-directory'], v: ['verbose'] },
  ln: { s: ['symbolic'], f: ['force'] },
  chmod: { R: ['recursive'], f: ['silent', 'quiet'] },
  chown: { R: ['recursive'], h: ['no-dereference'] },
  chgrp: { R: ['recursive'] },
  chattr: { R: [] },
  setfacl: { R: ['recursive'], m: ['modify'], b: ['remove-all'] },
  tar: { c: ['create'], x: ['extract', 'get'], f: ['file'], z: ['gzip'], t: ['list'], P: ['absolute-names'] },
  rsync: { a: ['archive'], r: ['recursive'], e: ['rsh'] },
  git: { f: ['force'], d: ['delete'] },
  grep: { r: ['R', 'recursive', 'dereference-recursive'], i: ['ignore-case'], l: ['files-with-matches'] },
  useradd: {
    u: ['uid'],
    o: ['non-unique'],
    G: ['groups'],
    g: ['gid'],
    s: ['shell'],
    p: ['password'],
    r: ['system'],
    m: ['create-home'],
  },
  usermod: {
    G: ['groups'],
    a: ['append'],
    u: ['uid'],
    o: ['non-unique'],
    L: ['lock'],
    U: ['unlock'],
    s: ['shell'],
    p: ['password'],
  },
  userdel: { r: ['remove'], f: ['force'] },
  passwd: { d: ['delete'], l: ['lock'], u: ['unlock'], e: ['expire'] },
  crontab: { e: ['edit'], l: ['list'], r: ['remove'] },
  iptables: { F: ['flush'], X: ['delete-chain'], P: ['policy'], D: ['delete'], A: ['append'], I: ['insert'] },
  ip6tables: {
    F: ['flush'],
    X: ['delete-chain'],
    P: ['policy'],
    D: ['delete'],
    A: ['append'],
    I: ['insert'],
  },
  shred: { u: ['remove'], z: ['zero'], n: ['iterations'] },
  wipefs: { a: ['all'] },
  sed: { i: ['in-place'], n: ['quiet', 'silent'], e: ['expression'] },
  perl: { i: [] },
  curl: {
    d: ['data', 'data-binary', 'data-raw', 'data-urlencode', 'json'],
    F: ['form', 'form-string'],
    T: ['upload-file'],
    o: ['output'],
    O: ['remote-name'],
    k: ['insecure'],
    X: ['request'],
    A: ['user-agent'],
    u: ['user'],
  },
  wget: { O: ['output-document'], q: ['quiet'], i: ['input-file'], U: ['user-agent'] },
  nc: { e: ['exec'], l: ['listen'], c: ['sh-exec'] },
  ncat: { e: ['exec'], l: ['listen'], c: ['sh-exec'] },
  kill: { s: ['signal'] },
  journalctl: { f: ['follow'], u: ['unit'] },
  base64: { d: ['D', 'decode'] },
  base32: { d: ['decode'] },
  xxd: { r: ['revert'], p: ['ps', 'plain', 'postscript'] },
  truncate: { s: ['size'] },
  zip: { r: ['recurse-paths'], e: ['encrypt'], P: ['password'], T: ['test'] },
  docker: { v: ['volume'], it: [] },
  su: { c: ['command'], l: ['login'] },
  sudo: {
    u: ['user'],
    l: ['list'],
    i: ['login'],
    s: ['shell'],
    e: ['edit'],
    n: ['non-interactive'],
    k: ['reset-timestamp'],
  },
  mysql: { e: ['execute'] },
  psql: { c: ['command'] },
  kubectl: { f: ['filename'], A: ['all-namespaces'] },
};

/** Every spelling that counts as `flag` for `command`; letters stand for themselves, long names without dashes. */
function spellings(command: string, flag: string): readonly string[] {
  const bare = flag.replace(/^--?/, '');
  const table = tables[command];
  if (table === undefined) return [bare];
  for (const [key, others] of Object.entries(table))
    if (key === bare || others.includes(bare)) return [key, ...others];
  return [bare];
}

/** Whether the options of argv include `flag` (`r`, `-r`, `--recursive`, `-delete`) in any spelling. */
export function hasFlag(command: string, argv: readonly string[], flag: string): boolean {
  const wanted = spellings(command, flag);
  const whole = flag.startsWith('-') && !flag.startsWith('--') && flag.length > 2;
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word.charCodeAt(0) !== 45 || word.length < 2) {
      // tar takes its letters without a dash when they come first.
      if (
        i === 1 &&
        command === 'tar' &&
        /^[a-zA-Z]+$/.test(word) &&
        wanted.some((w) => w.length === 1 && word.includes(w))
      )
        return true;
      continue;
    }
    if (word === '--') return false;
    if (whole) {
      if (word === flag || word.startsWith(`${flag}=`)) return true;
      continue;
    }
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      // getopt takes unambiguous beginnings of long names.
      if (wanted.some((w) => w.length > 1 && (w === name || (name.length >= 3 && w.startsWith(name)))))
        return true;
    } else if (wanted.some((w) => w.length === 1 && word.includes(w, 1))) return true;
    else if (wanted.some((w) => w.length > 1 && word.slice(1) === w)) return true;
  }
  return false;
}
