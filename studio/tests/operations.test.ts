import { readFileSync } from 'node:fs';
import { buildSchema, Kind, parse, print, validate } from 'graphql';
import type { DocumentNode } from 'graphql';
import { describe, expect, it } from 'vitest';
import { NEWEST_QUERY, WATCH_SUBSCRIPTION } from '../src/example';
import * as operations from '../src/operations';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
const documents = Object.entries(operations as unknown as Record<string, DocumentNode>).filter(
  ([, document]) => document.definitions.some((definition) => definition.kind === Kind.OPERATION_DEFINITION),
);

describe('operations', () => {
  it.each(documents)('%s is one that the server understands', (_, document) => {
    expect(validate(schema, parse(print(document)))).toEqual([]);
  });

  it.each([NEWEST_QUERY, WATCH_SUBSCRIPTION])(
    'GraphiQL opens with one that the server understands',
    (text) => {
      expect(validate(schema, parse(text))).toEqual([]);
    },
  );
});
