import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'urql';
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/run.css';
import { App } from './app';
import { createClient } from './live/client';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Provider value={createClient(window.location.href)}>
      <App />
    </Provider>
  </StrictMode>,
);
