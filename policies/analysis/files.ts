// Which files a command names, and what it would do with each: from redirections, from the operands of well-known
// programs, and from any word that looks like a path. One rule on a path can so hold for `cat`, `tee`, `sed -i`, sftp.

import { absolutePath } from './paths.ts';
import type { ResolvedCommand } from './types.ts';

export type FileUse = 'read' | 'write' | 'delete' | 'attributes';

export interface NamedFile {
  readonly path: string;
  readonly use: FileUse;
}

const silent = new Set([
  'echo',
  'printf',
  ':',
  'true',
  'false',
  'export',
  'alias',
  'set',
  'unset',
  'logger',
  'test',
  '[',
  'basename',
  'dirname',
  'which',
  'command',
]);
const deleters = new Set(['rm', 'unlink', 'shred', 'rmdir', 'srm', 'wipe']);
const editors = new Set(
  'vi vim nvim nano pico emacs ed ex joe micro kak mcedit sudoedit visudo vipw rvim'.split(' '),
);
const writers = new Set(['tee', 'truncate', 'touch', 'mkdir', 'mkfifo', 'mknod', 'fallocate', 'sponge']);
const attributes = new Set([
  'chmod',
  'chown',
  'chgrp',
  'chattr',
  'setfacl',
  'setcap',
  'chcon',
  'chflags',
  'restorecon',
]);
const lastWritten = new Set(['cp', 'install', 'ln', 'rsync', 'scp', 'mv', 'gcp', 'update-alternatives']);
const outputOptions: Readonly<Record<string, RegExp>> = {
  curl: /^(-o|--output|-D|--dump-header|-c|--cookie-jar)$/,
  wget: /^(-O|--output-document|-o|--output-file|-P)$/,
  sort: /^(-o|--output)$/,
  gcc: /^-o$/,
  openssl: /^-out$/,
  tcpdump: /^-w$/,
  gpg: /^(-o|--output)$/,
  tar: /^(-f|--file)$/,
};

const looksLikePath = /^(?:\/|~|\.{1,2}\/)|\//;

/** Every file that the command names; at most 256. */
export function namedFiles(command: ResolvedCommand): readonly NamedFile[] {
  const out: NamedFile[] = [];
  const add = (path: string | undefined, use: FileUse): void => {
    if (path !== undefined && path !== '' && out.length < 256) out.push({ path, use });
  };
  for (const r of command.redirections) {
    if (r.operator === '<<' || r.operator === '<<-' || r.operator === '<<<') continue;
    if (/^[0-9-]+$/.test(r.target) && r.operator.endsWith('&')) continue;
    const path = absolutePath(r.target, command.directory) ?? r.target;
    add(path, r.operator === '<' ? 'read' : 'write');
  }
  const name = command.name;
  if (command.argv.length < 2 || silent.has(name)) return out;
  const inPlace =
    name === 'sed' || name === 'perl' || name === 'ruby'
      ? command.argv.some((a) => /^-[a-zA-Z]*i|^--in-place/.test(a))
      : false;
  let lastOperand = -1;
  if (lastWritten.has(name)) {
    for (let i = command.argv.length - 1; i > 0; i--) {
      if (command.argv[i]?.startsWith('-') !== true) {
        lastOperand = i;
        break;
      }
    }
  }
  const outputOption = outputOptions[name];
  for (let i = 1; i < command.argv.length; i++) {
    const word = command.argv[i] ?? '';
    if (command.unknown.length > 0 && command.unknown.includes(i) && !looksLikePath.test(word)) continue;
    let path = command.absolute[i];
    let text = word;
    if (path === undefined || !looksLikePath.test(word)) {
      // of=/x, --file=/x, @/x, file:///x, host:/x
      const m = /^(?:-{0,2}[\w.-]+=|-[A-Za-z]|(?:[\w.@-]+:)|file:\/\/)?@?((?:\/|~\/).*)$/s.exec(word);
      if (m?.[1] !== undefined && m[1] !== word) {
        text = m[1];
        path = absolutePath(text, undefined);
      }
    }
    if (path === undefined) {
      const operand =
        editors.has(name) ||
        writers.has(name) ||
        deleters.has(name) ||
        attributes.has(name) ||
        inPlace ||
        i === lastOperand;
      if (word.startsWith('-') || (!operand && !looksLikePath.test(word) && !word.includes('.'))) continue;
      path = word;
    }
    if (deleters.has(name)) add(path, 'delete');
    else if (attributes.has(name)) add(path, 'attributes');
    else if (writers.has(name) || editors.has(name) || inPlace) add(path, 'write');
    else if (i === lastOperand) {
      add(path, 'write');
      // Copying into a folder writes a file of the same name there.
      const source = command.argv.slice(1, i).find((a) => !a.startsWith('-'));
      if (source !== undefined && (word.endsWith('/') || !/\.[\w-]+$/.test(word)))
        add(`${path.replace(/\/$/, '')}/${source.replace(/^.*\//, '')}`, 'write');
    } else if (name === 'dd' && word.startsWith('of='))
      add(absolutePath(word.slice(3), undefined) ?? word.slice(3), 'write');
    else if (outputOption?.test(command.argv[i - 1] ?? '') === true) add(path, 'write');
    else {
      add(path, 'read');
      if (name === 'mv') add(path, 'delete');
    }
  }
  if (command.code !== undefined && command.code.length < 16_384) {
    for (const m of command.code.matchAll(/["'`]((?:\/|~\/)[^"'`\n]{1,200})["'`]/g)) {
      add(m[1], 'read');
      add(m[1], 'write');
    }
  }
  return out;
}
