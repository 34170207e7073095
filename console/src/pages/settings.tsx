// Every setting with its range and default, changed together and all at once.
import {
  Anchor,
  Badge,
  Button,
  Checkbox,
  Group,
  NumberInput,
  Stack,
  Table,
  Text,
  TextInput,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, type Shapes, taken, takenWithTag } from '../api/client.ts';
import { Moment, Untrusted } from '../parts/text.tsx';
import { Page, Shown, Told } from '../parts/told.tsx';
import { useMay } from '../who.ts';

type Setting = Shapes['Setting'];
type Value = Setting['value'];

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

/** What the changes would have made of the last 90 days. */
const WhatIf = ({ changes }: { readonly changes: Readonly<Record<string, Value>> }) => {
  const whatIf = useMutation({
    mutationFn: () => taken(api.POST('/api/settings/what-if', { body: { values: { ...changes } } })),
  });
  return (
    <Stack gap="xs">
      <Group>
        <Button variant="default" loading={whatIf.isPending} onClick={() => whatIf.mutate()}>
          What if?
        </Button>
        {whatIf.data === undefined ? null : (
          <Text size="sm" role="status">
            {whatIf.data.different} of {whatIf.data.looked} sessions of the last 90 days would have come out
            otherwise.
          </Text>
        )}
      </Group>
      {whatIf.isError ? <Told error={whatIf.error} /> : null}
      {whatIf.data?.items.slice(0, 20).map((one) => (
        <Text size="sm" key={one.session}>
          <Anchor component={Link} to={`/sessions/${one.session}`}>
            <Moment at={one.startedAt} />
          </Anchor>{' '}
          <Untrusted text={one.user} />: {one.before}
          {one.suspiciousBefore ? ', suspicious' : ''} → {one.after}
          {one.suspiciousAfter ? ', suspicious' : ''}
          {one.actionAfter === '' ? '' : `, ${one.actionAfter}`}
        </Text>
      ))}
    </Stack>
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
              Save {count === 0 ? '' : count}
            </Button>
          </Group>
        ) : null
      }
    >
      {save.isError ? <Told error={save.error} /> : null}
      {count === 0 ? null : <WhatIf changes={changes} />}
      <Shown query={settings}>
        {({ data }) => (
          <Table striped aria-label="Settings">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Setting</Table.Th>
                <Table.Th scope="col">Value</Table.Th>
                <Table.Th scope="col">Range</Table.Th>
                <Table.Th scope="col">Default</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.items.map((setting) => (
                <Table.Tr key={setting.key}>
                  <Table.Td>
                    <Text size="sm" component="code">
                      {setting.key}
                    </Text>{' '}
                    {setting.key in changes ? (
                      <Badge size="xs" color="orange" variant="outline">
                        not saved
                      </Badge>
                    ) : null}
                    <Text size="xs" c="dimmed">
                      {setting.text}
                    </Text>
                  </Table.Td>
                  <Table.Td>
                    <Field
                      setting={setting}
                      value={changes[setting.key] ?? setting.value}
                      disabled={!may('settings.write')}
                      set={(value) =>
                        setChanges((now) => {
                          const { [setting.key]: _, ...others } = now;
                          return value === setting.value ? others : { ...others, [setting.key]: value };
                        })
                      }
                    />
                  </Table.Td>
                  <Table.Td>{rangeOf(setting)}</Table.Td>
                  <Table.Td>{shownValue(setting.standard)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Shown>
    </Page>
  );
};

export default Settings;
