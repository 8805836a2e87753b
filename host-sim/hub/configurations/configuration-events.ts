/** What happened to automatic device configurations; their contents are not told. */
export type ConfigurationEvent =
  | { readonly event: 'configurationChanged'; readonly change: 'created' | 'updated' | 'deleted'; readonly configuration: string }
  /** Configurations wrote into a twin's desired properties, or took back what they had written. */
  | {
      readonly event: 'configurationsApplied';
      readonly deviceId: string;
      readonly moduleId?: string;
      /** Those that the twin carries now. */
      readonly configurations: readonly string[];
    }
  /** A twin that cannot hold what its configurations want. */
  | {
      readonly event: 'configurationsRefused';
      readonly deviceId: string;
      readonly moduleId?: string;
      readonly configurations: readonly string[];
      readonly code: number;
      readonly detail: string;
    };
