// Replays a recording: play and pause, speed, any moment by the slider, jumps by command, search in what was shown. Keys:
// space, ← and → (5 s), n and p (next and previous mark).
import {
  Anchor,
  Badge,
  Button,
  Card,
  Group,
  Select,
  Slider,
  Stack,
  Switch,
  Text,
  TextInput,
} from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { useCallback, useEffect, useRef, useState } from 'react';
import { plainText, shownSeconds } from '../parts/text.tsx';
import { Told, Waiting } from '../parts/told.tsx';
import { type Found, findText, piecesUntil, type Recording, readRecording, sizeAt } from './recording.ts';
import { type Screen, TerminalScreen } from './screen.tsx';

const TICK = 40;
/** Pauses are cut to so many seconds when they are skipped. */
const LONGEST_PAUSE = 1.5;
/** Characters written at once; the terminal draws between. */
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

const Playing = ({ recording, from }: { readonly recording: Recording; readonly from: number }) => {
  const screen = useRef<Screen>(null);
  /** How far the screen has been written. */
  const written = useRef({ pieces: 0, size: '' });
  const [second, setSecond] = useState(from);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState('1');
  const [skips, setSkips] = useState(true);
  const [wanted, setWanted] = useState('');
  const [found, setFound] = useState<readonly Found[]>();

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
  const marks = recording.jumps.filter(({ kind }) => kind !== 'watched');
  const nextMark = (): void => {
    const next = marks.find(({ at }) => at > second + 0.05);
    if (next !== undefined) jump(next.at + 0.02);
  };
  const previousMark = (): void => {
    const before = marks.findLast(({ at }) => at < second - 0.5);
    if (before !== undefined) jump(before.at + 0.02);
  };
  const toggle = (): void => {
    if (second >= recording.end) setSecond(0);
    setPlaying((now) => !now);
  };
  useHotkeys([
    ['space', toggle],
    ['ArrowLeft', () => jump(second - 5)],
    ['ArrowRight', () => jump(second + 5)],
    ['n', nextMark],
    ['p', previousMark],
  ]);
  const current = marks.findLast(({ at }) => at <= second);

  return (
    <Group align="start" gap="md" wrap="wrap">
      <Stack gap="xs" style={{ flex: '1 1 640px', minWidth: 0 }}>
        <TerminalScreen ref={screen} label="The recorded terminal" />
        <Slider
          aria-label="Moment"
          thumbLabel="Moment"
          min={0}
          max={Math.max(recording.end, 0.1)}
          step={0.1}
          value={second}
          onChange={jump}
          label={(value) => shownSeconds(value)}
          thumbProps={{ 'aria-valuetext': shownSeconds(second) }}
        />
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
            {shownSeconds(second)} / {shownSeconds(recording.end)}
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
            <Text size="sm" fw={600} mt="md" mb={4}>
              Commands and events
            </Text>
            {marks.length === 0 ? (
              <Text size="sm" c="dimmed">
                None in this session.
              </Text>
            ) : (
              <ol className="marks" aria-label="Commands and events" style={{ paddingLeft: 0, margin: 0 }}>
                {marks.map((mark, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a recording's marks never move
                  <li key={index} style={{ listStyle: 'none' }}>
                    <Anchor
                      component="button"
                      type="button"
                      size="sm"
                      ta="left"
                      fw={mark === current ? 700 : 400}
                      aria-current={mark === current ? 'true' : undefined}
                      onClick={() => jump(mark.at + 0.02)}
                    >
                      {shownSeconds(mark.at)} {plainText(mark.label, 120)}
                    </Anchor>
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
                size="sm"
                ta="left"
                onClick={() => jump(one.at)}
              >
                {shownSeconds(one.at)} {plainText(one.text, 120)}
              </Anchor>
            ))}
          </Stack>
        )}
      </Card>
    </Group>
  );
};

const Player = ({ session, from }: { readonly session: string; readonly from: number }) => {
  const loaded = useRecording(session);
  switch (loaded.kind) {
    case 'loading':
      return <Waiting />;
    case 'failed':
      return <Told error={loaded.error} />;
    case 'ready':
      return <Playing key={`${session} ${from}`} recording={loaded.recording} from={from} />;
  }
};

export default Player;
