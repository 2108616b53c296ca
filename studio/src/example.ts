/** What GraphiQL shows to someone who comes for the first time, each in a tab of its own. */
export const NEWEST_QUERY = `# The newest runs of every workspace. Ctrl-Enter sends it.
query Newest {
  runs(first: 10, orderBy: [{ by: { field: CREATED_AT }, direction: DESC }]) {
    totalCount
    nodes {
      id
      name
      status
      duration
      metrics(first: 5) {
        nodes {
          name
          summary { count last min max }
        }
      }
    }
  }
}
`;

export const WATCH_SUBSCRIPTION = `# What changes in a run and below it, as it happens. Put the id of a run into the variables.
subscription Watch($run: ID!) {
  runTree(run: $run) {
    cursor
    caughtUp
    runs { name status }
    metrics { name start values }
    logs { path text }
  }
}
`;

export const WATCH_VARIABLES = '{\n  "run": ""\n}\n';
