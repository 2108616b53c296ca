import type { ResultOf, VariablesOf } from 'gql.tada';
import { graphql } from './graphql';

/** What a list row, a badge or a link to a run needs. */
export const runRow = graphql(`
  fragment RunRow on Run {
    id
    runId
    name
    displayName
    kind
    status
    statusClass
    stale
    createdAt
    startedAt
    endedAt
    duration
    primaryMetric
    cluster { id name }
    experiment { id name }
    parent { id name displayName primaryMetric }
    root { id primaryMetric }
  }
`);
export type RunRow = ResultOf<typeof runRow>;

export const metricFacts = graphql(`
  fragment MetricFacts on Metric {
    id
    name
    kind
    chart
    chartColumns
  }
`);
export type MetricFacts = ResultOf<typeof metricFacts>;

export const summaryFacts = graphql(`
  fragment SummaryFacts on MetricSummary {
    count
    last
    min
    max
    nonFinite
    firstNonFiniteStep
  }
`);
export type SummaryFacts = ResultOf<typeof summaryFacts>;

export const logFacts = graphql(`
  fragment LogFacts on LogFile {
    id
    path
    rank
    stream
    size
    complete
    url
  }
`);
export type LogFacts = ResultOf<typeof logFacts>;

export const seriesPoints = graphql(`
  fragment SeriesPoints on Series {
    x
    y
    at
    exact
    total
  }
`);
export type SeriesPoints = ResultOf<typeof seriesPoints>;

export const workspacesQuery = graphql(`
  query Workspaces {
    workspaces(first: 100) { nodes { id name } }
    server { version }
  }
`);

/** Where the address of a cluster or an experiment leads. */
export const placeQuery = graphql(`
  query Place($id: ID!) {
    node(id: $id) {
      __typename
      ... on Cluster { id name workspace { id name } }
      ... on Experiment { id name workspace { id name } }
    }
  }
`);

export const runsQuery = graphql(
  `
    query Runs($workspace: String!, $filter: RunFilter, $orderBy: [RunOrder!], $first: Int!, $after: String) {
      workspace(name: $workspace) {
        id
        runs(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
          totalCount
          pageInfo { hasNextPage endCursor }
          nodes {
            ...RunRow
            children(first: 1) { totalCount }
          }
        }
      }
    }
  `,
  [runRow],
);
export type RunsVariables = VariablesOf<typeof runsQuery>;

/** The frame around the list: clusters with what waits and works on them, counts by status, followed folders. */
export const overviewQuery = graphql(`
  query Overview($workspace: String!, $counted: RunFilter) {
    workspace(name: $workspace) {
      id
      runs(filter: $counted, first: 1) { statusCounts { status count } }
      clusters(first: 50) {
        nodes {
          id
          name
          kind
          state
          vmSize
          currentNodes
          maxNodes
          runs(first: 20) { totalCount nodes { id name displayName status statusClass stale } }
        }
      }
    }
    server {
      sources {
        id
        name
        uri
        workspace
        plugin
        state
        lastError
        runs
        points
        lines
        skippedCount
        skipped { path line reason }
      }
    }
  }
`);
export type ClusterFacts = NonNullable<
  ResultOf<typeof overviewQuery>['workspace']
>['clusters']['nodes'][number];

export type SourceFacts = ResultOf<typeof overviewQuery>['server']['sources'][number];

export const descendantsQuery = graphql(
  `
    query Descendants($id: ID!, $after: String) {
      run(id: $id) {
        descendants(first: 100, after: $after) {
          pageInfo { hasNextPage endCursor }
          nodes { ...RunRow }
        }
      }
    }
  `,
  [runRow],
);

export const primaryMetricsQuery = graphql(`
  query PrimaryMetrics($ids: [ID!]!, $names: [String!]!) {
    nodes(ids: $ids) {
      __typename
      ... on Run {
        id
        metrics(names: $names) { nodes { id name summary { last } } }
      }
    }
  }
`);

export const runQuery = graphql(
  `
    query Run($id: ID!) {
      run(id: $id) {
        ...RunRow
        liveCursor
        description
        source
        target
        submittedBy
        originalStatus
        exitCode
        workspace { id name }
        parent { ...RunRow }
        error { code message }
        warnings { source message }
        queueing { message }
        statusEvidence { status at reported source original detail }
        phases { status statusClass start end seconds }
        tags { key value }
        params { key value }
        properties { key value }
        git { repository branch commit dirty }
        mainLog { id }
        logs { ...LogFacts }
        artifacts(first: 100) {
          totalCount
          nodes { id path size contentType url }
        }
        metrics(first: 100) {
          totalCount
          pageInfo { hasNextPage endCursor }
          nodes { ...MetricFacts summary { ...SummaryFacts } }
        }
        descendants(first: 50) {
          totalCount
          nodes {
            ...RunRow
            logs { ...LogFacts }
            metrics(first: 50) { totalCount nodes { ...MetricFacts summary { ...SummaryFacts } } }
          }
        }
      }
    }
  `,
  [runRow, metricFacts, summaryFacts, logFacts],
);
export type RunDetails = NonNullable<ResultOf<typeof runQuery>['run']>;

/** The parts of a run page that no live update carries; asked again when the run changes. */
export const runFactsQuery = graphql(`
  query RunFacts($id: ID!) {
    run(id: $id) {
      id
      status
      statusClass
      stale
      endedAt
      duration
      originalStatus
      exitCode
      error { code message }
      warnings { source message }
      queueing { message }
      statusEvidence { status at reported source original detail }
      phases { status statusClass start end seconds }
      tags { key value }
      params { key value }
      properties { key value }
      artifacts(first: 100) {
        totalCount
        nodes { id path size contentType url }
      }
    }
  }
`);

export const moreMetricsQuery = graphql(
  `
    query MoreMetrics($id: ID!, $after: String, $contains: String) {
      run(id: $id) {
        id
        metrics(first: 100, after: $after, contains: $contains) {
          pageInfo { hasNextPage endCursor }
          nodes { ...MetricFacts summary { ...SummaryFacts } }
        }
      }
    }
  `,
  [metricFacts, summaryFacts],
);

export const seriesQuery = graphql(
  `
    query Series($ids: [ID!]!, $from: Float, $to: Float) {
      nodes(ids: $ids) {
        __typename
        ... on Metric {
          id
          series(points: 1000, from: $from, to: $to) { ...SeriesPoints }
        }
      }
    }
  `,
  [seriesPoints],
);

/** A line of one column over another of the same metric. */
export const pairSeriesQuery = graphql(
  `
    query PairSeries($id: ID!, $x: String!, $y: String!) {
      node(id: $id) {
        __typename
        ... on Metric {
          id
          series(x: { column: $x }, y: $y, points: 1000) { ...SeriesPoints }
        }
      }
    }
  `,
  [seriesPoints],
);

export const logLinesQuery = graphql(`
  query LogLines($id: ID!, $last: Int!, $before: String) {
    node(id: $id) {
      __typename
      ... on LogFile {
        id
        lines(view: RAW, last: $last, before: $before) {
          pageInfo { hasPreviousPage startCursor }
          nodes { offset text continues }
        }
      }
    }
  }
`);

/** Everything live on a run page: statuses, points and log text of the run and all below it. */
export const runTreeSubscription = graphql(
  `
    subscription RunTree($run: ID!, $after: String) {
      runTree(run: $run, after: $after) {
        cursor
        reset
        gap { reason }
        runs { ...RunRow }
        metrics {
          start
          steps
          values
          at
          metric { ...MetricFacts run { id } }
          summary { ...SummaryFacts }
        }
        logs {
          offset
          text
          log { ...LogFacts run { id } }
        }
      }
    }
  `,
  [runRow, metricFacts, summaryFacts, logFacts],
);
export type TreeUpdate = ResultOf<typeof runTreeSubscription>['runTree'];

/** A list needs the statuses of a tree and the last value of the metrics it shows, no points and no log text. */
export const treeStatusSubscription = graphql(
  `
    subscription TreeStatus($run: ID!, $after: String, $metrics: [String!]!) {
      runTree(run: $run, after: $after, metrics: $metrics, logs: [], points: false, throttle: 0.5) {
        cursor
        reset
        gap { reason }
        runs { ...RunRow }
        metrics {
          metric { id name run { id } }
          summary { last }
        }
      }
    }
  `,
  [runRow],
);
