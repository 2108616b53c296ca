// The audit suite of GraphQL over HTTP: `node audit.js URL` prints every audit, and fails unless all of them pass.
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: process.argv[2] });
for (const { id, name, status, reason } of results) {
  console.log(status, id, name, reason ?? '');
}
process.exitCode = results.length > 0 && results.every(({ status }) => status === 'ok') ? 0 : 1;
