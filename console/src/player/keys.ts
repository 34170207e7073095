// The player's keys, heard wherever the focus is, but for where a key means something of its own: in a field that is typed
// into, on a button that the space bar presses, on what the arrows move.
import { useEffect, useRef } from 'react';

export type PlayerKey = ' ' | 'ArrowLeft' | 'ArrowRight' | 'n' | 'p';

const CHOSEN = new Set(['radio', 'checkbox']);

const meansItself = (key: string, at: EventTarget | null): boolean => {
  if (!(at instanceof HTMLElement)) return false;
  if (at instanceof HTMLInputElement && CHOSEN.has(at.type)) return key !== 'n' && key !== 'p';
  if (at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement || at.isContentEditable)
    return true;
  if (key === ' ') return at instanceof HTMLButtonElement || at instanceof HTMLAnchorElement;
  return key.startsWith('Arrow') && ['slider', 'tab'].includes(at.getAttribute('role') ?? '');
};

export const usePlayerKeys = (does: Readonly<Record<PlayerKey, () => void>>): void => {
  const now = useRef(does);
  now.current = does;
  useEffect(() => {
    const heard = (event: KeyboardEvent): void => {
      const { key, target, ctrlKey, altKey, metaKey } = event;
      if (ctrlKey || altKey || metaKey || meansItself(key, target)) return;
      switch (key) {
        case ' ':
        case 'ArrowLeft':
        case 'ArrowRight':
        case 'n':
        case 'p':
          event.preventDefault();
          now.current[key]();
      }
    };
    document.addEventListener('keydown', heard);
    return () => document.removeEventListener('keydown', heard);
  }, []);
};
