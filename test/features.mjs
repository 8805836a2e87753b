/** Feature × client: which test shows it. A cell without a test says what is missing, or `–` where the client has no such thing. */

export const CLIENTS = ['azure-iot-device (MQTT)', 'azure-iothub (REST)', 'azure-iothub (AMQP)', 'agent on the board', 'mosquitto', '@azure/event-hubs'];

const DEVICE = 'node-sdk-device';
const REGISTRY = 'azure-iothub-registry';
const C2D = 'azure-iothub-c2d';
const CONFIGURATIONS = 'azure-iothub-configurations';
const QUERY = 'azure-iothub-query';
const AGENT = 'azure-iothub-agent';
const THERMOSTAT = 'azure-iothub-thermostat';
const NONE = '–';

/**
 * @typedef {readonly [file: string, test: string]} Shown a test file of test/conformance, and a piece of the name of one of its tests
 * @type {readonly { readonly feature: string, readonly cells: readonly (Shown | string)[] }[]}
 */
export const FEATURES = [
  { feature: 'telemetry, QoS 1', cells: [['node-sdk', '1,000 QoS 1 messages'], NONE, NONE, ['device-command', 'connects by GatewayHostName'], ['mosquitto', '1,000 QoS 1 messages'], ['event-hubs', 'a thousand events']] },
  { feature: 'message properties', cells: [['az-commands', 'monitor shows what devices send'], NONE, [C2D, 'a message with every field'], [THERMOSTAT, 'telemetry of the boards'], ['mosquitto-device', 'in order'], ['event-hubs', 'reads telemetry with its properties']] },
  { feature: 'token renewal', cells: [['node-sdk', 'renews its token'], NONE, NONE, ['sim-renewal', 'five devices renew side by side'], 'sends one token', NONE] },
  { feature: 'change of keys while connected', cells: [['key-change', 'while azure-iothub changes them'], ['key-change', 'while azure-iothub changes them'], NONE, ['sim-key-rotation', 'primary to secondary'], NONE, NONE] },
  { feature: 'twin: get', cells: [[DEVICE, 'reads its twin'], [REGISTRY, 'reads, patches and replaces twins'], NONE, [AGENT, 'takes a desired property'], ['mosquitto-device', 'as a bridge reads the twin'], NONE] },
  { feature: 'twin: reported properties', cells: [[DEVICE, 'reads its twin'], [AGENT, 'takes a desired property'], NONE, [AGENT, 'takes a desired property'], ['mosquitto-device', 'reports properties'], NONE] },
  { feature: 'twin: desired properties', cells: [[DEVICE, 'reads its twin'], [REGISTRY, 'reads, patches and replaces twins'], NONE, [AGENT, 'takes a desired property'], ['mosquitto-device', 'desired properties'], NONE] },
  { feature: 'direct methods', cells: [[DEVICE, 'answers direct methods'], [REGISTRY, 'calls a method'], NONE, [AGENT, 'its methods answer'], ['mosquitto-device', 'direct method'], NONE] },
  { feature: 'cloud-to-device, acknowledged', cells: [[DEVICE, 'receives cloud-to-device'], NONE, [C2D, 'it waits for the device'], [THERMOSTAT, 'take cloud-to-device messages'], ['mosquitto-device', 'completed by its PUBACK'], NONE] },
  { feature: 'feedback', cells: [[C2D, 'its feedback all the way back'], NONE, [C2D, 'feedback of every kind'], [THERMOSTAT, 'the service has their feedback'], NONE, NONE] },
  { feature: 'modules', cells: [[DEVICE, 'module client'], [REGISTRY, 'modules'], 'no messages to modules, as in IoT Hub', [AGENT, 'a module has its own twin'], ['mosquitto-device', 'a module by mosquitto'], ['event-hubs', 'reads telemetry with its properties']] },
  { feature: 'Plug and Play model id', cells: [[DEVICE, 'Plug and Play'], [DEVICE, 'Plug and Play'], NONE, [AGENT, 'takes a desired property'], NONE, NONE] },
  { feature: 'automatic configurations', cells: [[CONFIGURATIONS, "Microsoft's device SDK gets"], [CONFIGURATIONS, 'creates a configuration'], NONE, [THERMOSTAT, 'automatic configuration'], NONE, NONE] },
  { feature: 'registry', cells: [NONE, [REGISTRY, 'creates a device'], NONE, NONE, NONE, NONE] },
  { feature: 'registry in bulk', cells: [NONE, [REGISTRY, 'a hundred devices'], NONE, NONE, NONE, NONE] },
  { feature: 'queries, in pages', cells: [NONE, [QUERY, 'pages through all twins'], NONE, NONE, NONE, NONE] },
  { feature: 'built-in events', cells: [NONE, NONE, NONE, NONE, NONE, ['event-hubs', 'at the offset, number or time']] },
  { feature: 'refusals as IoT Hub words them', cells: [['node-sdk', 'wrong key'], [REGISTRY, 'UnauthorizedError'], [C2D, 'each refusal'], ['sim-faults', 'at most three CONNECTs'], ['mosquitto', 'not authorised'], ['event-hubs', 'reads nothing']] },
  { feature: 'throttling', cells: [['throttled-device', 'azure-iot-device'], ['throttled-service', 'ThrottlingError'], ['throttled-service', 'over AMQP'], ['throttled-device', 'the agent on the board'], ['throttled-device', 'mosquitto_pub'], NONE] },
  { feature: 'faults: drop, delay, refuse, half-open', cells: [['faults', 'every fault of a connection'], NONE, NONE, ['faults', 'every fault of a connection'], NONE, NONE] },
  { feature: 'another certificate', cells: [['node-sdk', 'does not trust the root'], ['service-certificates', 'over HTTPS'], ['service-certificates', 'over AMQP'], ['faults', 'a certificate of kind'], ['mosquitto', 'does not know the root'], ['service-certificates', '@azure/event-hubs']] },
];
