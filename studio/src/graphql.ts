import type { initGraphQLTada } from 'gql.tada';
import { gql } from 'urql';
import type { introspection } from '../types/schema';

/** One cell of a column or one number: non-finite values travel as strings, a missing value as null. */
export type Cell = number | 'NaN' | 'Infinity' | '-Infinity' | null;

type Setup = {
  introspection: introspection;
  disableMasking: true;
  scalars: {
    DateTime: string;
    FloatColumn: Cell[];
    TimeColumn: (number | null)[];
    Column: unknown[];
    Number: Exclude<Cell, null>;
    JSON: unknown;
  };
};

/*
 * Types a GraphQL document against the server's schema while urql parses it. gql.tada gives the types only:
 * its own runtime would bring the TypeScript compiler into every build of this page.
 */
const parse = gql as (source: string, ...fragments: readonly unknown[]) => unknown;
export const graphql = ((source: string, fragments: readonly unknown[] = []) =>
  parse(source, ...fragments)) as unknown as ReturnType<typeof initGraphQLTada<Setup>>;
