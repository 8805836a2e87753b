"""A service on Qpid Proton, an AMQP 1.0 of its own: does what one JSON object on stdin says, writes what it saw as JSON on stdout.

{"do": "plain"|"anonymous", "url": "amqps://127.0.0.1:PORT", "user": …, "password": …, "ca": FILE, "hostname": …, "claims": [[audience, token]…],
 "send": [{"to": …, "body": …, "id": …, "ack": …}…], "receive": [ADDRESS, COUNT], "outcomes": ["accept"|"release"|"modify"|"reject"|"leave"…], "selector": …}
"""
import json
import sys

from proton import Described, Message, SSLDomain, symbol
from proton.handlers import MessagingHandler
from proton.reactor import Container, Filter


class Selector(Filter):
    def __init__(self, text):
        super().__init__({symbol('apache.org:selector-filter:string'): Described(symbol('apache.org:selector-filter:string'), text)})


class Service(MessagingHandler):
    def __init__(self, task):
        super().__init__(auto_accept=False, auto_settle=True, prefetch=task.get('prefetch', 10))
        self.task = task
        self.seen = {'outcomes': [], 'messages': [], 'claims': [], 'errors': []}
        self.claims = list(task.get('claims', []))
        self.todo = list(task.get('send', []))
        self.outcomes = list(task.get('outcomes', []))
        self.pending = 0
        self.sender = self.receiver = self.cbs = None

    def on_start(self, event):
        domain = SSLDomain(SSLDomain.MODE_CLIENT)
        domain.set_trusted_ca_db(self.task['ca'])
        domain.set_peer_authentication(SSLDomain.VERIFY_PEER)
        options = {'ssl_domain': domain, 'reconnect': False, 'virtual_host': self.task['hostname']}
        if self.task['do'] == 'plain':
            options.update(user=self.task['user'], password=self.task['password'], allowed_mechs='PLAIN')
        else:
            options.update(allowed_mechs='ANONYMOUS')
        self.timer = event.container.schedule(25, self)
        self.connection = event.container.connect(self.task['url'], **options)

    def on_connection_opened(self, event):
        if self.claims:
            self.answers = event.container.create_receiver(self.connection, '$cbs')
            self.cbs = event.container.create_sender(self.connection, '$cbs')
        else:
            self.work(event)

    def work(self, event):
        if self.todo:
            self.sender = event.container.create_sender(self.connection, '/messages/devicebound')
        if 'receive' in self.task:
            options = Selector(self.task['selector']) if 'selector' in self.task else None
            self.receiver = event.container.create_receiver(self.connection, self.task['receive'][0], options=options)
        if not self.todo and 'receive' not in self.task:
            self.finish()

    def on_sendable(self, event):
        if event.sender == self.cbs:
            while self.claims:
                audience, token = self.claims.pop(0)
                self.pending += 1
                self.cbs.send(Message(id='claim', reply_to='$cbs', body=token, properties={
                    'operation': 'put-token', 'type': 'servicebus.windows.net:sastoken', 'name': audience}))
        while event.sender == self.sender and self.todo and self.sender.credit:
            each = self.todo.pop(0)
            self.pending += 1
            properties = {'iothub-ack': each['ack']} if 'ack' in each else {}
            self.sender.send(Message(address=each['to'], id=each.get('id'), body=each['body'].encode(), inferred=True, properties=properties))

    def outcome(self, name, event):
        if event.link == self.cbs:
            return
        condition = event.delivery.remote.condition
        self.seen['outcomes'].append(name if condition is None else '%s %s' % (name, condition.name))
        self.pending -= 1
        self.check()

    def on_accepted(self, event):
        self.outcome('accepted', event)

    def on_rejected(self, event):
        self.outcome('rejected', event)

    def on_released(self, event):
        self.outcome('released', event)

    def on_message(self, event):
        message = event.message
        if self.cbs is not None and event.receiver == self.answers:
            self.accept(event.delivery)
            self.seen['claims'].append([message.correlation_id, message.properties['status-code']])
            self.pending -= 1
            if not self.claims and self.pending == 0:
                self.work(event)
            return
        body = message.body
        text = bytes(body).decode() if isinstance(body, (bytes, memoryview, bytearray)) else json.dumps(body, default=str)
        annotations = {str(name): value if isinstance(value, (int, str)) else str(value) for name, value in (message.annotations or {}).items()}
        self.seen['messages'].append({
            'body': text, 'contentType': message.content_type, 'userId': bytes(message.user_id).decode(), 'deliveryCount': message.delivery_count,
            'annotations': annotations, 'properties': message.properties or {}, 'id': message.id})
        outcome = self.outcomes.pop(0) if self.outcomes else 'accept'
        if outcome == 'accept':
            self.accept(event.delivery)
        elif outcome == 'reject':
            self.reject(event.delivery)
        elif outcome != 'leave':
            self.release(event.delivery, delivered=outcome == 'modify')
        self.check()

    def check(self):
        wanted = self.task['receive'][1] if 'receive' in self.task else 0
        if not self.todo and self.pending == 0 and len(self.seen['messages']) >= wanted:
            self.connection.close()
            self.timer.cancel()

    def finish(self):
        self.connection.close()
        self.timer.cancel()

    def fail(self, where, condition):
        info = condition.info if condition is not None else None
        self.seen['errors'].append([where, condition.name if condition is not None else None, {str(name): value for name, value in (info or {}).items()}])
        self.finish()

    def on_link_error(self, event):
        self.fail('link', event.link.remote_condition)

    def on_connection_error(self, event):
        self.fail('connection', event.connection.remote_condition)

    def on_transport_error(self, event):
        self.seen['errors'].append(['transport', event.transport.condition.name, {}])
        self.timer.cancel()

    def on_timer_task(self, event):
        self.seen['errors'].append(['timeout', None, {}])
        self.connection.close()


service = Service(json.load(sys.stdin))
Container(service).run()
print(json.dumps(service.seen))
