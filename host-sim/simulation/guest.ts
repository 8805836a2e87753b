/** A device that the simulator makes for the user's own clients; it is not one of those that run. */
export const GUEST_DEVICE_ID = 'try-me';
