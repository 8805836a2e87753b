/** `model-id` of a user name's parameters: `{hub}/{clientId}/?api-version=…&model-id=dtmi:…`. */
const MODEL_ID = /[?&]model-id=([^&]*)/;

/** A DTMI has at most 4,096 characters by its own rules; IoT Hub keeps 512. */
const MAX_CHARACTERS = 512;

/** The Plug and Play model that a CONNECT announces, decoded; `undefined` for none. */
export function readModelId(userName: string | undefined): string | undefined {
  const raw = userName === undefined ? undefined : MODEL_ID.exec(userName)?.[1];
  if (raw === undefined || raw === '') return undefined;
  try {
    const modelId = decodeURIComponent(raw);
    return modelId.length <= MAX_CHARACTERS ? modelId : undefined;
  } catch {
    return undefined;
  }
}
