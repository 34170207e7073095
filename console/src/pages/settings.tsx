// Every setting with its range and default, changed together and all at once.
import { Badge, Button, Checkbox, Group, NumberInput, Table, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Shapes, taken, takenWithTag } from '../api/client.ts';
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
