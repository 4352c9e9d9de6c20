// The dashboards of scripts/dashboards.py by Perses' own panels, for the Prometheus that serves this page at /user.
import { ChartsProvider, SnackbarProvider, generateChartsTheme, getTheme } from '@perses-dev/components';
import { ViewDashboard } from '@perses-dev/dashboards';
import { PluginRegistry } from '@perses-dev/plugin-system';
import * as prometheus from '@perses-dev/prometheus-plugin';
import * as stat from '@perses-dev/stat-chart-plugin';
import * as timeSeries from '@perses-dev/timeseries-chart-plugin';
import { CssBaseline, ThemeProvider } from '@mui/material';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { QueryParamProvider } from 'use-query-params';
import { WindowHistoryAdapter } from 'use-query-params/adapters/window';

// Written by scripts/dashboards.py, in the order of its DASHBOARDS.
import dashboards from '../dashboards.json';

const modules = [prometheus, stat, timeSeries].map((module) => ({ resource: module.getPluginModule(), module }));
const pluginLoader = {
  getInstalledPlugins: async () => modules.map((one) => one.resource),
  importPluginModule: async (resource) => modules.find((one) => one.resource.metadata.name === resource.metadata.name).module,
};
// The one source there is: the Prometheus that this page comes from.
const source = {
  kind: 'GlobalDatasource',
  metadata: { name: 'prometheus' },
  spec: { default: true, plugin: { kind: 'PrometheusDatasource', spec: { directUrl: window.location.origin } } },
};
const datasourceApi = {
  getDatasource: async () => undefined,
  getGlobalDatasource: async () => source,
  listDatasources: async () => [],
  listGlobalDatasources: async () => [source],
};
const client = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false, retry: 1 } } });
const darkPreferred = window.matchMedia('(prefers-color-scheme: dark)');
const chosen = () => dashboards.find((one) => `#${one.metadata.name}` === window.location.hash) ?? dashboards[0];

// What the browser tells; of colours the query, of the dashboard the address.
function useBrowser(target, event, read) {
  const [value, setValue] = useState(read);
  useEffect(() => {
    const update = () => setValue(read());
    target.addEventListener(event, update);
    return () => target.removeEventListener(event, update);
  }, [target, event, read]);
  return value;
}
const isDark = () => darkPreferred.matches;

function Page() {
  const dark = useBrowser(darkPreferred, 'change', isDark);
  const dashboard = useBrowser(window, 'hashchange', chosen);
  const theme = getTheme(dark ? 'dark' : 'light');
  useEffect(() => { document.title = dashboard.spec.display.name; }, [dashboard]);
  return (
    <ThemeProvider theme={theme}>
      <CssBaseline />
      <nav aria-label="Dashboards">
        {dashboards.map((one) => (
          <a key={one.metadata.name} href={`#${one.metadata.name}`} aria-current={one === dashboard ? 'page' : undefined}>
            {one.spec.display.name}
          </a>
        ))}
        <a href="/query">Prometheus</a>
      </nav>
      <ChartsProvider chartsTheme={generateChartsTheme(theme, {})} enablePinning={false}>
        <SnackbarProvider>
          <PluginRegistry pluginLoader={pluginLoader} defaultPluginKinds={{ Panel: 'TimeSeriesChart', TimeSeriesQuery: 'PrometheusTimeSeriesQuery' }}>
            <ViewDashboard key={dashboard.metadata.name} dashboardResource={dashboard} datasourceApi={datasourceApi} isReadonly isVariableEnabled isDatasourceEnabled={false} />
          </PluginRegistry>
        </SnackbarProvider>
      </ChartsProvider>
    </ThemeProvider>
  );
}

createRoot(document.getElementById('page')).render(
  <QueryClientProvider client={client}>
    <QueryParamProvider adapter={WindowHistoryAdapter}>
      <Page />
    </QueryParamProvider>
  </QueryClientProvider>,
);
