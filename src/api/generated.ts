// What follows from the routes and is committed: the OpenAPI document, and TypeScript types of the document in the form that
// openapi-fetch takes (`paths`). Knows the few forms of JSON Schema that the document has; another one is an error.
import { describeApi } from './openapi.ts';
import type { Route } from './route.ts';

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const node = (value: unknown): Node => (isNode(value) ? value : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The version of the document is the API's, not the program's, so that a release changes nothing in it. */
const API_VERSION = '1';

const document = (routes: readonly Route[]): Node => describeApi(routes, API_VERSION);

export const openApiText = (routes: readonly Route[]): string =>
  `${JSON.stringify(document(routes), null, 2)}\n`;

const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

const literal = (value: unknown): string => JSON.stringify(value);

const objectType = (schema: Node, indent: string): string => {
  const required = list(schema['required']);
  const inner = `${indent}  `;
  const properties = Object.entries(node(schema['properties']));
  const more = schema['additionalProperties'];
  if (properties.length === 0)
    return isNode(more) && Object.keys(more).length > 0
      ? `Record<string, ${typeOf(more, indent)}>`
      : 'Record<string, unknown>';
  const lines = properties.map(([name, value]) => {
    const optional = required.includes(name) ? '' : '?';
    return `${inner}${key(name)}${optional}: ${typeOf(value, inner)};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
};

const union = (parts: readonly unknown[], indent: string): string =>
  parts.map((part) => typeOf(part, indent)).join(' | ');

const typeOf = (value: unknown, indent: string): string => {
  const schema = node(value);
  const reference = schema['$ref'];
  if (typeof reference === 'string') return `components['schemas']['${reference.split('/').at(-1) ?? ''}']`;
  if ('const' in schema) return literal(schema['const']);
  if (Array.isArray(schema['enum'])) return schema['enum'].map(literal).join(' | ');
  if (Array.isArray(schema['anyOf'])) return union(schema['anyOf'], indent);
  if (Array.isArray(schema['oneOf'])) return union(schema['oneOf'], indent);
  if (Array.isArray(schema['allOf'])) return schema['allOf'].map((part) => typeOf(part, indent)).join(' & ');
  if (Array.isArray(schema['type']))
    return schema['type'].map((type: unknown) => typeOf({ ...schema, type }, indent)).join(' | ');
  switch (schema['type']) {
    case 'string':
      return 'string';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array': {
      const item = typeOf(schema['items'], indent);
      return /[|&]/.test(item) && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
    }
    case 'object':
      return objectType(schema, indent);
    case undefined:
      return 'unknown';
    default:
      throw new TypeError(`a schema of the type ${String(schema['type'])} has no TypeScript form here`);
  }
};

const parametersType = (operation: Node, where: string, indent: string): string | undefined => {
  const mine = list(operation['parameters'])
    .map(node)
    .filter((parameter) => parameter['in'] === where);
  if (mine.length === 0) return undefined;
  const lines = mine.map((parameter) => {
    const optional = parameter['required'] === true ? '' : '?';
    return `${indent}  ${key(String(parameter['name']))}${optional}: ${typeOf(parameter['schema'], indent)};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
};

const contentType = (of: unknown, indent: string): string => {
  const content = Object.entries(node(node(of)['content']));
  const lines = content.map(
    ([type, media]) => `${indent}  ${literal(type)}: ${typeOf(node(media)['schema'], `${indent}  `)};\n`,
  );
  return `{\n${lines.join('')}${indent}}`;
};

const operationType = (operation: Node): string => {
  const at = '      ';
  const parts = (['query', 'header', 'path'] as const).map((where) => {
    const type = parametersType(operation, where, `${at}  `);
    const anyRequired = list(operation['parameters'])
      .map(node)
      .some((parameter) => parameter['in'] === where && parameter['required'] === true);
    return `${at}  ${where}${anyRequired ? '' : '?'}: ${type ?? 'never'};\n`;
  });
  const body = operation['requestBody'];
  return [
    '{\n',
    `${at}parameters: {\n${parts.join('')}${at}  cookie?: never;\n${at}};\n`,
    body === undefined
      ? `${at}requestBody?: never;\n`
      : `${at}requestBody: {\n${at}  content: ${contentType(body, `${at}  `)};\n${at}};\n`,
    `${at}responses: {\n`,
    `${at}  200: {\n${at}    headers: Record<string, string>;\n`,
    `${at}    content: ${contentType(node(operation['responses'])['200'], `${at}    `)};\n${at}  };\n`,
    `${at}  default: {\n${at}    headers: Record<string, string>;\n`,
    `${at}    content: { 'application/problem+json': components['schemas']['Problem'] };\n${at}  };\n`,
    `${at}};\n    }`,
  ].join('');
};

export const consoleTypes = (routes: readonly Route[]): string => {
  const whole = document(routes);
  const paths = Object.entries(node(whole['paths'])).map(([path, operations]) => {
    const methods = Object.entries(node(operations)).map(
      ([method, operation]) => `    ${method}: ${operationType(node(operation))};\n`,
    );
    return `  ${literal(path)}: {\n${methods.join('')}  };\n`;
  });
  const schemas = Object.entries(node(node(whole['components'])['schemas'])).map(
    ([name, schema]) => `    ${key(name)}: ${typeOf(schema, '    ')};\n`,
  );
  return [
    '// Made by `npm run generate` from the API’s routes. Not to be edited.\n',
    `export interface components {\n  schemas: {\n${schemas.join('')}  };\n}\n\n`,
    `export interface paths {\n${paths.join('')}}\n`,
  ].join('');
};
