// Tracks what a session has entered and not left: nested shells, other users, remote logins, REPLs. It goes by the
// commands that were let through and by the prompts that come back; it is shown and judged with, never trusted.

export interface EnteredContext {
  /** The program's name, e.g. `bash`, `sudo`, `ssh`, `psql`. */
  readonly name: string;
  /** The command that entered it. */
  readonly command: string;
  /** The prompt under which it was entered: seeing it again means that it was left. */
  readonly outerPrompt: string;
}

const SHELLS = /^(?:ba|z|da|k|mk|tc|c|fi|a)?sh(?:93)?$/;
const ENTERING =
  /^(?:sudo|su|doas|ssh|telnet|mosh|python[\d.]*|ipython[\d.]*|psql|mysql|mariadb|redis-cli|sqlite3|mongosh?|node|irb|perl|php|lua|gdb|ftp|sftp|lftp|docker|podman|kubectl|nsenter|chroot|unshare|tmux|screen|busybox|env|exec|nohup|script|sqlplus|bc)$/;

const MAXIMUM_DEPTH = 32;

/** The program that a simple command starts, if it may read further lines itself. */
export function entered(command: string): string | undefined {
  const words = command.trim().split(/\s+/);
  const name = (words[0] ?? '').replace(/^.*\//, '');
  if (SHELLS.test(name)) return words.length > 1 && words.includes('-c') ? undefined : name;
  return ENTERING.test(name) ? name : undefined;
}

export class Contexts {
  #stack: EnteredContext[] = [];

  get names(): readonly string[] {
    return this.#stack.map((context) => context.name);
  }

  /** True when the innermost context is one of these programs. */
  inside(...names: readonly string[]): boolean {
    const innermost = this.#stack[this.#stack.length - 1]?.name;
    return innermost !== undefined && names.some((name) => innermost.startsWith(name));
  }

  released(command: string, prompt: string): void {
    const name = entered(command);
    if (name === undefined || this.#stack.length >= MAXIMUM_DEPTH) return;
    this.#stack.push({ name, command, outerPrompt: prompt });
  }

  /** A prompt is back: everything that was entered under this very prompt has been left. */
  promptSeen(prompt: string): void {
    if (prompt.trim() === '') return;
    const at = this.#stack.findIndex((context) => context.outerPrompt === prompt);
    if (at !== -1) this.#stack.length = at;
  }
}
