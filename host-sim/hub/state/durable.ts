/** JSON that a store keeps under one key, such as `twin/dev1` or `policy/service`. */
export type DurableRecord = readonly [key: string, value: unknown];

/** A store whose contents survive the hub's end: it is made from its records, and tells of every one that changes. */
export interface Durable {
  /** The first segment of its keys. */
  readonly prefix: string;
  /** Everything, in an order that it can be restored in. */
  records(): Iterable<DurableRecord>;
  /** Hears of each record that changed, `undefined` for one that is gone, before the call that changed it returns. @returns a function that ends it */
  onRecord(listener: (key: string, value: unknown) => void): () => void;
}
