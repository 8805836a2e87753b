/** Whether `topic` can be published to: not empty, no wildcard, no NUL. [MQTT-3.3.2-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2] */
export function isTopicName(topic: string): boolean {
  return topic.length > 0 && !topic.includes('#') && !topic.includes('+') && !topic.includes('\0');
}

/** Whether `filter` can be subscribed to: `+` fills a level, `#` fills the last. [MQTT-4.7.1-2] [MQTT-4.7.1-3] */
export function isTopicFilter(filter: string): boolean {
  if (filter.length === 0 || filter.includes('\0')) return false;
  const levels = filter.split('/');
  const last = levels.length - 1;
  return levels.every((level, index) => {
    if (level.length === 1) return level !== '#' || index === last;
    return !level.includes('#') && !level.includes('+');
  });
}
