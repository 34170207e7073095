// Every setting with its range, its default and what it does, changed together and all at once; beside each that is
// changed, what it would have made of the last 90 days.
import {
  Anchor,
  Badge,
  Button,
  Card,
  Checkbox,
  Group,
  NumberInput,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link } from 'react-router';
import { api, type Shapes, taken, takenWithTag } from '../api/client.ts';
import { counted, inWords, Moment, Untrusted } from '../parts/text.tsx';
import { Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Setting = Shapes['Setting'];
type Value = Setting['value'];

/** Sessions that are named in an answer. */
const MOST_EXAMPLES = 10;

const rangeOf = ({ type, minimum, maximum }: Setting): string => {
  if (type === 'flag') return 'on or off';
  return minimum === null || maximum === null ? 'text' : `${minimum} to ${maximum}`;
};

const shownValue = (value: Value): string =>
  value === true ? 'on' : value === false ? 'off' : String(value);

const Field = ({
  setting,
  value,
  set,
  disabled,
}: {
  readonly setting: Setting;
  readonly value: Value;
  readonly set: (value: Value) => void;
  readonly disabled: boolean;
}) => {
  const label = setting.key;
  if (typeof setting.standard === 'boolean')
    return (
      <Checkbox
        aria-label={label}
        checked={value === true}
        disabled={disabled}
        onChange={(event) => set(event.currentTarget.checked)}
      />
    );
  if (typeof setting.standard === 'number')
    return (
      <NumberInput
        aria-label={label}
        size="xs"
        w={130}
        {...(setting.minimum === null ? {} : { min: setting.minimum })}
        {...(setting.maximum === null ? {} : { max: setting.maximum })}
        value={typeof value === 'number' ? value : ''}
        disabled={disabled}
        allowDecimal={setting.type !== 'integer'}
        onChange={(next) => {
          if (typeof next === 'number') set(next);
        }}
      />
    );
  return (
    <TextInput
      aria-label={label}
      size="xs"
      value={String(value)}
      disabled={disabled}
      onChange={(event) => set(event.currentTarget.value)}
    />
  );
};

/** What other values would have made of the last 90 days. */
const WhatIf = ({
  label,
  changes,
}: {
  readonly label: string;
  readonly changes: Readonly<Record<string, Value>>;
}) => {
  const whatIf = useMutation({
    mutationFn: () => taken(api.POST('/api/settings/what-if', { body: { values: { ...changes } } })),
  });
  const { reset } = whatIf;
  const asked = JSON.stringify(changes);
  // An answer is to the values that it was asked for.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the values as text
  useEffect(reset, [asked, reset]);
  return (
    <Stack gap={4} mt={4}>
      <Group gap="xs">
        <Button
          size="compact-xs"
          variant="default"
          aria-label={label}
          loading={whatIf.isPending}
          onClick={() => whatIf.mutate()}
        >
          What if?
        </Button>
        {whatIf.data === undefined ? null : (
          <Text size="sm" role="status">
            {whatIf.data.different} of {counted(whatIf.data.looked, 'session')} of the last 90 days would have
            come out otherwise.
          </Text>
        )}
      </Group>
      {whatIf.isError ? <Told error={whatIf.error} /> : null}
      {whatIf.data?.items.slice(0, MOST_EXAMPLES).map((one) => (
        <Text size="sm" key={one.session}>
          <Anchor component={Link} to={`/sessions/${one.session}`}>
            <Moment at={one.startedAt} />
          </Anchor>{' '}
          <Untrusted text={one.user} />: {counted(one.before, 'point')}
          {one.suspiciousBefore ? ', suspicious' : ''} → {counted(one.after, 'point')}
          {one.suspiciousAfter ? ', suspicious' : ''}
          {one.actionAfter === '' ? '' : `, ${inWords(one.actionAfter)}`}
        </Text>
      ))}
    </Stack>
  );
};

const TITLES: Readonly<Record<string, string>> = {
  '': 'In general',
  session: 'How sessions are measured',
  'session.weights': 'What counts in a session, and how much',
  view: 'How looks at credentials are measured',
  'view.weights': 'What counts in a look, and how much',
  actions: 'What the gateway does by itself',
  continuousIdentification: 'When users prove again who they are',
};

/** The settings that stand together, by the beginning of their keys. */
const groupOf = (key: string): string => {
  const parts = key.split('.').slice(0, -1);
  const group = parts.join('.');
  return group in TITLES ? group : (parts[0] ?? '');
};

const grouped = (settings: readonly Setting[]): ReadonlyMap<string, readonly Setting[]> =>
  Map.groupBy(settings, ({ key }) => groupOf(key));

const Row = ({
  setting,
  changed,
  set,
  writes,
}: {
  readonly setting: Setting;
  /** Undefined: as it is. */
  readonly changed: Value | undefined;
  readonly set: (value: Value) => void;
  readonly writes: boolean;
}) => {
  const value = changed ?? setting.value;
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" component="code">
          {setting.key}
        </Text>{' '}
        {changed === undefined ? null : (
          <Badge size="xs" color="orange" variant="outline">
            not saved
          </Badge>
        )}
        <Text size="xs" c="dimmed">
          {setting.text}
        </Text>
        {changed === undefined ? null : (
          <WhatIf label={`What if ${setting.key} were this?`} changes={{ [setting.key]: changed }} />
        )}
      </Table.Td>
      <Table.Td>
        <Field setting={setting} value={value} disabled={!writes} set={set} />
      </Table.Td>
      <Table.Td>{rangeOf(setting)}</Table.Td>
      <Table.Td>
        {shownValue(setting.standard)}{' '}
        {writes && value !== setting.standard ? (
          <Button
            size="compact-xs"
            variant="subtle"
            aria-label={`Back to the default of ${setting.key}`}
            onClick={() => set(setting.standard)}
          >
            back to it
          </Button>
        ) : null}
      </Table.Td>
    </Table.Tr>
  );
};

const Settings = () => {
  const may = useMay();
  const queries = useQueryClient();
  const [changes, setChanges] = useState<Readonly<Record<string, Value>>>({});
  const settings = useQuery({
    queryKey: ['settings'],
    queryFn: () => takenWithTag(api.GET('/api/settings')),
  });
  const save = useMutation({
    mutationFn: () =>
      taken(
        api.PUT('/api/settings', {
          params: { header: { 'If-Match': `"${(settings.data?.tag ?? '').replaceAll('"', '')}"` } },
          body: { values: { ...changes } },
        }),
      ),
    onSuccess: () => setChanges({}),
    onSettled: () => queries.invalidateQueries({ queryKey: ['settings'] }),
  });
  const count = Object.keys(changes).length;
  const set = (setting: Setting, value: Value): void =>
    setChanges((now) => {
      const { [setting.key]: _, ...others } = now;
      return value === setting.value ? others : { ...others, [setting.key]: value };
    });
  return (
    <Page
      title="Settings"
      actions={
        may('settings.write') ? (
          <Group>
            <Button variant="default" disabled={count === 0} onClick={() => setChanges({})}>
              Discard
            </Button>
            <Button disabled={count === 0} loading={save.isPending} onClick={() => save.mutate()}>
              {count === 0 ? 'Save' : `Save ${counted(count, 'change')}`}
            </Button>
          </Group>
        ) : null
      }
    >
      {save.isError ? <Told error={save.error} /> : null}
      {count < 2 ? null : (
        <Card withBorder>
          <Text size="sm">{count} settings are changed and not saved. Together:</Text>
          <WhatIf label="What if all of it?" changes={changes} />
        </Card>
      )}
      <Shown query={settings}>
        {({ data }) =>
          [...grouped(data.items)].map(([group, members]) => (
            <Card key={group} withBorder>
              <Title order={2}>{TITLES[group] ?? group}</Title>
              <Table.ScrollContainer minWidth={640}>
                <Table aria-label={TITLES[group] ?? group}>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th scope="col">Setting</Table.Th>
                      <Table.Th scope="col" w={200}>
                        Value
                      </Table.Th>
                      <Table.Th scope="col" w={110}>
                        Range
                      </Table.Th>
                      <Table.Th scope="col" w={180}>
                        Default
                      </Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {members.map((setting) => (
                      <Row
                        key={setting.key}
                        setting={setting}
                        changed={changes[setting.key]}
                        set={(value) => set(setting, value)}
                        writes={may('settings.write')}
                      />
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
            </Card>
          ))
        }
      </Shown>
    </Page>
  );
};

export default Settings;
