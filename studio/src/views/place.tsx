import { useEffect } from 'react';
import { useQuery } from 'urql';
import { placeQuery } from '../operations';
import { Empty, Link } from '../parts/basics';
import { navigate, workspacePath } from '../router';

/** Leads on to the runs of a cluster or an experiment, given its id. */
export function PlaceView({ id }: { id: string }) {
  const [{ data, error }] = useQuery({ query: placeQuery, variables: { id } });
  const node = data?.node;
  useEffect(() => {
    if (node?.__typename === 'Cluster')
      navigate(workspacePath(node.workspace.name, { cluster: node.name }), 'replace');
    if (node?.__typename === 'Experiment')
      navigate(workspacePath(node.workspace.name, { experiment: node.name }), 'replace');
  }, [node]);
  if (data === undefined && error === undefined) return <p className="loading">Looking it up…</p>;
  if (node?.__typename === 'Cluster' || node?.__typename === 'Experiment') return null;
  return (
    <Empty title="There is no such cluster or experiment here">
      <p>
        Nothing is known of <code>{id}</code>. <Link href="/">See all runs</Link>
      </p>
    </Empty>
  );
}
