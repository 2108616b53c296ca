import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Where the server listens that `vite dev` stands in front of.
const server = process.env['GRAPHQL_RUNS_SERVER'] ?? 'http://127.0.0.1:8765';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2023',
    rollupOptions: {
      input: { index: 'index.html', graphiql: 'graphiql.html' },
      // Libraries written for the React compiler carry "use no memo", which means nothing once bundled.
      onwarn: (warning, warn) => {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
    chunkSizeWarningLimit: 3000,
  },
  server: { proxy: { '/graphql': { target: server, ws: true } } },
});
