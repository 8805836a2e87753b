/* `latchkey/network` of a chip with a radio. */
export { default } from "embedded:network/interface/wifi";
export const kind = "wifi";
