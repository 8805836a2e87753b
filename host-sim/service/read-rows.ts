import type { Registry } from 'azure-iothub';

/** IoT Hub gives so many at a time at most. */
const MAX_PAGE_ROWS = 1_000;

/** All rows of a query, `top` at most, page by page. */
export async function readRows(registry: Registry, query: string, top: number): Promise<readonly unknown[]> {
  const pages = registry.createQuery(query, Math.min(top, MAX_PAGE_ROWS));
  const rows: unknown[] = [];
  do {
    const { result } = (await pages.next()) as { readonly result: readonly unknown[] };
    rows.push(...result);
  } while (pages.hasMoreResults && rows.length < top);
  return rows.slice(0, top);
}
