const PAGE_SIZE = 1000;

interface PageRequest {
  pageSize: number;
  pageToken: string;
}

/** Yields the items of a paged list, at most `limit`. */
export async function* pages<Page extends { nextPageToken: string }, Item>(
  limit: number,
  read: (page: PageRequest) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): AsyncGenerator<Item> {
  let left = limit;
  let pageToken = "";
  do {
    const page = await read({ pageSize: Math.min(left, PAGE_SIZE), pageToken });
    const items = itemsOf(page);
    yield* items;
    left -= items.length;
    pageToken = page.nextPageToken;
  } while (pageToken && left > 0);
}
