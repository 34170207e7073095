// Replays a recording: play and pause, speed, any moment by the slider, jumps by command, search in what was shown. Keys:
// space, ← and → (5 s), n and p (next and previous mark).
import {
  Anchor,
  Badge,
  Button,
  Card,
  Group,
  SegmentedControl,
  Select,
  Slider,
  Stack,
  Switch,
  Text,
  TextInput,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { api, taken } from '../api/client.ts';
import { Outcome, plainText, shownSeconds } from '../parts/text.tsx';
import { Told, Waiting } from '../parts/told.tsx';
import { useMay } from '../who.ts';
import { alignedRisk, type CourseMoment, courseOf, type RiskPoint, type Transfers } from './course.ts';
import { usePlayerKeys } from './keys.ts';
import { type Found, findText, piecesUntil, type Recording, readRecording, sizeAt } from './recording.ts';
import { type Screen, TerminalScreen } from './screen.tsx';
import { Timeline } from './timeline.tsx';

const TICK = 40;
/** Pauses are cut to so many seconds when they are skipped. */
const LONGEST_PAUSE = 1.5;
/** Times as fast. */
const SPEEDS = ['0.5', '1', '2', '4', '8', '16'];

type Loaded =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'ready'; readonly recording: Recording };

const useRecording = (session: string): Loaded => {
  const [loaded, setLoaded] = useState<Loaded>({ kind: 'loading' });
  useEffect(() => {
    const gone = new AbortController();
    setLoaded({ kind: 'loading' });
    readRecording(session, gone.signal).then(
      (recording) => setLoaded({ kind: 'ready', recording }),
      (error: unknown) => {
        if (!gone.signal.aborted) setLoaded({ kind: 'failed', error });
      },
    );
    return () => gone.abort();
  }, [session]);
  return loaded;
};

/** Which moments the list shows. */
const LISTS = [
  { value: 'all', label: 'All' },
  { value: 'command', label: 'Commands' },
  { value: 'transfer', label: 'Transfers' },
  { value: 'risk', label: 'Risk' },
] as const;

/** Recordings that are shorter show tenths of seconds. */
const SHORT = 600;

const MomentLine = ({
  mark,
  clock,
  current,
  jump,
}: {
  readonly mark: CourseMoment;
  readonly clock: (at: number) => string;
  readonly current: boolean;
  readonly jump: () => void;
}) => (
  <>
    <Anchor
      component="button"
      type="button"
      fz="sm"
      ta="left"
      fw={current ? 700 : 400}
      aria-current={current ? 'true' : undefined}
      onClick={jump}
    >
      {clock(mark.at)} <bdi>{plainText(mark.text, 120)}</bdi>
    </Anchor>{' '}
    {mark.outcome === undefined || mark.outcome === 'ran' ? null : <Outcome outcome={mark.outcome} />}
    {mark.more.map((line) => (
      <Text key={line} size="xs" c="dimmed" pl="md" className="command">
        <bdi>{plainText(line, 300)}</bdi>
      </Text>
    ))}
  </>
);

const Playing = ({
  recording,
  from,
  course,
}: {
  readonly recording: Recording;
  readonly from: number;
  readonly course: Course;
}) => {
  const screen = useRef<Screen>(null);
  /** How far the screen has been written. */
  const written = useRef({ pieces: 0, size: '' });
  const [second, setSecond] = useState(from);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState('1');
  const [skips, setSkips] = useState(true);
  const [wanted, setWanted] = useState('');
  const [found, setFound] = useState<readonly Found[]>();
  const [listed, setListed] = useState('all');

  const show = useCallback(
    (to: number): void => {
      const target = screen.current;
      if (target === null) return;
      const until = piecesUntil(recording, to);
      const { columns, rows } = sizeAt(recording, to);
      const size = `${columns}x${rows}`;
      if (until < written.current.pieces || written.current.size === '') {
        target.reset(columns, rows);
        written.current = { pieces: 0, size };
      } else if (size !== written.current.size) {
        target.resize(columns, rows);
      }
      const text = recording.pieces.slice(written.current.pieces, until).map((piece) => piece.text);
      if (text.length > 0) target.write(text.join(''));
      written.current = { pieces: until, size };
    },
    [recording],
  );

  useEffect(() => show(second), [show, second]);
  // The terminal goes with this part of the page: another one has nothing on it.
  useEffect(
    () => () => {
      written.current = { pieces: 0, size: '' };
    },
    [],
  );

  useEffect(() => {
    if (!playing) return undefined;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      const passed = ((now - last) / 1000) * Number(speed);
      last = now;
      setSecond((at) => {
        const next = recording.pieces[piecesUntil(recording, at)]?.at ?? recording.end;
        const pause = next - at;
        const to = skips && pause > LONGEST_PAUSE ? next - LONGEST_PAUSE / 2 : at + passed;
        if (to < recording.end) return to;
        setPlaying(false);
        return recording.end;
      });
    }, TICK);
    return () => clearInterval(timer);
  }, [playing, speed, skips, recording]);

  const jump = (to: number): void => setSecond(Math.max(0, Math.min(recording.end, to)));
  const clock = (at: number): string => shownSeconds(at, recording.end < SHORT);
  const risk = useMemo(() => alignedRisk(recording.jumps, course.risk), [recording, course.risk]);
  const moments = useMemo(
    () => courseOf(recording.jumps, risk, course.transfers),
    [recording, risk, course.transfers],
  );
  const timeline = useMemo(
    () => ({
      end: recording.end,
      moments,
      risk: risk ?? [],
      suspiciousFrom: course.suspiciousFrom,
    }),
    [recording, moments, risk, course.suspiciousFrom],
  );
  const marks = listed === 'all' ? moments : moments.filter(({ kind }) => kind === listed);
  const here = marks.findLastIndex(({ at }) => at <= second);
  /** Just behind a moment, so that what it shows is there, and before the next. */
  const goTo = (index: number): void => {
    const [mark, next] = [marks[index], marks[index + 1]];
    if (mark !== undefined)
      jump(mark.at + Math.min(0.02, next === undefined ? 0.02 : (next.at - mark.at) / 2));
  };
  const nextMark = (): void => goTo(here + 1);
  const previousMark = (): void => {
    const passed = second - (marks[here]?.at ?? 0);
    goTo(passed > 0.5 ? here : here - 1);
  };
  const toggle = (): void => {
    if (second >= recording.end) setSecond(0);
    setPlaying((now) => !now);
  };
  usePlayerKeys({
    ' ': toggle,
    ArrowLeft: () => jump(second - 5),
    ArrowRight: () => jump(second + 5),
    n: nextMark,
    p: previousMark,
  });
  const current = marks[here];

  return (
    <Group align="start" gap="md" wrap="wrap">
      <Stack gap="xs" style={{ flex: '1 1 640px', minWidth: 0 }}>
        {recording.pieces.length === 0 ? (
          <Text size="sm" c="dimmed">
            Nothing was shown on a terminal in this session; what it did stands beside.
          </Text>
        ) : (
          <TerminalScreen ref={screen} label="The recorded terminal" />
        )}
        <Slider
          aria-label="Moment"
          thumbLabel="Moment"
          min={0}
          max={Math.max(recording.end, 0.1)}
          step={0.1}
          value={second}
          onChange={jump}
          label={clock}
          thumbProps={{ 'aria-valuetext': clock(second) }}
        />
        <Timeline second={second} jump={jump} shown={timeline} />
        <Group gap="sm">
          <Button onClick={toggle} w={90}>
            {playing ? 'Pause' : 'Play'}
          </Button>
          <Button variant="default" onClick={previousMark}>
            Previous
          </Button>
          <Button variant="default" onClick={nextMark}>
            Next
          </Button>
          <Text size="sm" className="position">
            {clock(second)} / {clock(recording.end)}
          </Text>
          <Select
            aria-label="Speed"
            size="xs"
            w={90}
            data={SPEEDS.map((value) => ({ value, label: `${value}×` }))}
            value={speed}
            onChange={(value) => setSpeed(value ?? '1')}
            allowDeselect={false}
          />
          <Switch
            label="Skip pauses"
            checked={skips}
            onChange={(event) => setSkips(event.currentTarget.checked)}
          />
          {recording.cut ? <Badge color="orange">cut: too long to be loaded whole</Badge> : null}
        </Group>
      </Stack>
      <Card withBorder style={{ flex: '0 1 320px' }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setFound(wanted.trim() === '' ? undefined : findText(recording, wanted));
          }}
        >
          <Group align="end" gap="xs">
            <TextInput
              label="Search the screen"
              size="xs"
              value={wanted}
              onChange={(event) => setWanted(event.currentTarget.value)}
            />
            <Button type="submit" size="xs" variant="default">
              Find
            </Button>
          </Group>
        </form>
        {found === undefined ? (
          <>
            <SegmentedControl
              aria-label="What is listed"
              size="xs"
              fullWidth
              mt="md"
              mb="xs"
              data={[...LISTS]}
              value={listed}
              onChange={setListed}
            />
            {marks.length === 0 ? (
              <Text size="sm" c="dimmed">
                None in this session.
              </Text>
            ) : (
              <ol className="marks" aria-label="Commands and events" style={{ paddingLeft: 0, margin: 0 }}>
                {marks.map((mark, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a recording's moments never move
                  <li key={index} style={{ listStyle: 'none' }}>
                    <MomentLine
                      mark={mark}
                      clock={clock}
                      current={mark === current}
                      jump={() => goTo(index)}
                    />
                  </li>
                ))}
              </ol>
            )}
          </>
        ) : (
          <Stack gap={4} mt="md" className="marks" aria-label="Found">
            <Group justify="space-between">
              <Text size="sm" fw={600}>
                {found.length} found
              </Text>
              <Button size="compact-xs" variant="subtle" onClick={() => setFound(undefined)}>
                Close
              </Button>
            </Group>
            {found.map((one) => (
              <Anchor
                key={one.id}
                component="button"
                type="button"
                fz="sm"
                ta="left"
                onClick={() => jump(one.at)}
              >
                {clock(one.at)} {plainText(one.text, 120)}
              </Anchor>
            ))}
          </Stack>
        )}
      </Card>
    </Group>
  );
};

/** What the API knows of a session's course; undefined: it does not, this viewer may not, or it is not here yet. */
interface Course {
  readonly risk: readonly RiskPoint[] | undefined;
  readonly suspiciousFrom: number | undefined;
  readonly transfers: Transfers | undefined;
}

const useCourse = (session: string): Course => {
  const may = useMay();
  const params = { params: { path: { id: session } } };
  const risk = useQuery({
    queryKey: ['risk-curve', session],
    queryFn: () => taken(api.GET('/api/sessions/{id}/risk-curve', params)),
    enabled: may('ratings.read'),
  });
  const transfers = useQuery({
    queryKey: ['transfers', session],
    queryFn: () => taken(api.GET('/api/sessions/{id}/transfers', params)),
    enabled: may('commands.read'),
  });
  return {
    risk: risk.data?.items,
    suspiciousFrom: risk.data?.suspiciousFrom,
    transfers: transfers.data,
  };
};

const Player = ({ session, from }: { readonly session: string; readonly from: number }) => {
  const loaded = useRecording(session);
  const course = useCourse(session);
  switch (loaded.kind) {
    case 'loading':
      return <Waiting />;
    case 'failed':
      return <Told error={loaded.error} />;
    case 'ready':
      return <Playing key={`${session} ${from}`} recording={loaded.recording} from={from} course={course} />;
  }
};

export default Player;
