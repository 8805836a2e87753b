/** Where the name of the assigned hub outlives a restart; without it each start asks the service. */
export interface AssignmentStore {
  /** Called before the hub is connected to. What it throws becomes `saved: false` of the event. */
  save(hub: string): void;
}
