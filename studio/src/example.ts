/** What GraphiQL shows to someone who comes for the first time. */
export const FIRST_QUERY = `# The newest runs of every workspace. Ctrl-Enter sends it; ⇧-Ctrl-P lists what else the editor can do.
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

# Paste an id from above and watch it: what changes in the run and below it, as it happens.
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
