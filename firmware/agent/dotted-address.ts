/** Whether `host` is an IPv4 address and needs no resolver. */
export function isDottedAddress(host: string): boolean {
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => part !== '' && part.length <= 3 && Number(part) <= 255);
}
