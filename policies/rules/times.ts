// "mon-fri 08:00-18:00 Europe/Paris": days, hours of the day, zone. Days left out mean every day, zone left out means UTC.

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

export interface TimeWindow {
  contains(at: Date): boolean;
}

/** Compiles one window. Throws a SyntaxError for unknown days, hours or zones. */
export function timeWindow(text: string): TimeWindow {
  const m = /^(?:([a-z,-]+) )?(\d{2}):(\d{2})-(\d{2}):(\d{2})(?: (\S+))?$/.exec(text);
  if (m === null) throw new SyntaxError(`not a time window: "${text}"`);
  const allowed = new Set<number>();
  for (const part of (m[1] ?? 'sun-sat').split(',')) {
    const [from, to] = part.split('-').map((d) => days.indexOf(d));
    if (from === undefined || from < 0 || (to !== undefined && to < 0))
      throw new SyntaxError(`unknown day in "${text}"`);
    for (let d = from; ; d = (d + 1) % 7) {
      allowed.add(d);
      if (d === (to ?? from)) break;
    }
  }
  const start = Number(m[2]) * 60 + Number(m[3]);
  const end = Number(m[4]) * 60 + Number(m[5]);
  if (start > 1_440 || end > 1_440 || Number(m[3]) > 59 || Number(m[5]) > 59)
    throw new SyntaxError(`no such hour in "${text}"`);
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: m[6] ?? 'UTC',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  } catch {
    throw new SyntaxError(`unknown time zone in "${text}"`);
  }
  return {
    contains(at) {
      const parts = new Map(format.formatToParts(at).map((p) => [p.type, p.value]));
      const day = days.indexOf((parts.get('weekday') ?? '').toLowerCase());
      const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
      if (start <= end) return allowed.has(day) && minute >= start && minute < end;
      // Over midnight: the early hours belong to the day before.
      return minute >= start ? allowed.has(day) : minute < end && allowed.has((day + 6) % 7);
    },
  };
}
