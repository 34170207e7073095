// A form from a list of fields: what the API takes, each with a label and a word of help. Lists are typed one a line.
import {
  Button,
  MultiSelect,
  NumberInput,
  PasswordInput,
  Select,
  Stack,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useState } from 'react';
import { Told } from './told.tsx';

export type FieldValue = string | number | readonly string[];

export interface Field {
  readonly key: string;
  readonly label: string;
  readonly help?: string;
  readonly kind: 'text' | 'number' | 'list' | 'select' | 'choices' | 'secret' | 'secret-text';
  readonly choices?: readonly string[];
  readonly required?: boolean;
}

export type Values = Readonly<Record<string, FieldValue>>;

const asList = (value: FieldValue | undefined): string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' && value !== '' ? [value] : [];

const asText = (value: FieldValue | undefined): string =>
  typeof value === 'object' ? value.join('\n') : String(value ?? '');

export const splitLines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

const One = ({
  field,
  value,
  set,
  first,
}: {
  readonly field: Field;
  readonly value: FieldValue | undefined;
  readonly set: (value: FieldValue) => void;
  readonly first: boolean;
}) => {
  const { label, help, required = false, choices = [] } = field;
  const common = { label, required, ...(help === undefined ? {} : { description: help }) };
  const focus = first ? { 'data-autofocus': true } : {};
  switch (field.kind) {
    case 'text':
      return (
        <TextInput
          {...common}
          {...focus}
          value={asText(value)}
          onChange={(event) => set(event.currentTarget.value)}
        />
      );
    case 'number':
      return (
        <NumberInput
          {...common}
          {...focus}
          value={typeof value === 'number' ? value : ''}
          onChange={(next) => {
            if (typeof next === 'number') set(next);
          }}
        />
      );
    case 'list':
      return (
        <Textarea
          {...common}
          {...focus}
          autosize
          minRows={1}
          maxRows={8}
          value={asText(value)}
          onChange={(event) => set(event.currentTarget.value.split('\n'))}
        />
      );
    case 'select':
      return (
        <Select
          {...common}
          {...focus}
          data={[...choices]}
          value={asText(value) || null}
          allowDeselect={!required}
          onChange={(next) => set(next ?? '')}
        />
      );
    case 'choices':
      return (
        <MultiSelect
          {...common}
          {...focus}
          data={[...choices]}
          value={asList(value)}
          onChange={(next) => set(next)}
        />
      );
    case 'secret':
      return (
        <PasswordInput
          {...common}
          {...focus}
          autoComplete="new-password"
          value={asText(value)}
          onChange={(event) => set(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': `Show: ${label}` }}
        />
      );
    case 'secret-text':
      return (
        <Textarea
          {...common}
          {...focus}
          autosize
          minRows={2}
          maxRows={8}
          autoComplete="off"
          spellCheck={false}
          value={asText(value)}
          onChange={(event) => set(event.currentTarget.value)}
        />
      );
  }
};

export const Form = ({
  fields,
  initial,
  submit,
  busy,
  error,
}: {
  readonly fields: readonly Field[];
  readonly initial: Values;
  readonly submit: (values: Values) => void;
  readonly busy: boolean;
  readonly error: unknown;
}) => {
  const [values, setValues] = useState<Values>(initial);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit(values);
      }}
    >
      <Stack>
        {fields.map((field, index) => (
          <One
            key={field.key}
            field={field}
            first={index === 0}
            value={values[field.key]}
            set={(value) => setValues((now) => ({ ...now, [field.key]: value }))}
          />
        ))}
        {error === null ? null : <Told error={error} />}
        <Button type="submit" loading={busy}>
          Save
        </Button>
      </Stack>
    </form>
  );
};

/** What of the form goes to the API: text trimmed, empty text left out as null, lists without empty lines. */
export const list = (values: Values, key: string): string[] => {
  const value = values[key];
  return typeof value === 'object' ? value.map((line) => line.trim()).filter((line) => line !== '') : [];
};

export const text = (values: Values, key: string): string => {
  const value = values[key];
  return typeof value === 'string' ? value.trim() : '';
};

export const textOrNull = (values: Values, key: string): string | null => text(values, key) || null;

/** Secrets as they were typed. */
export const secret = (values: Values, key: string): string | undefined => {
  const value = values[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

export const number = (values: Values, key: string, standard: number): number => {
  const value = values[key];
  return typeof value === 'number' ? value : standard;
};
