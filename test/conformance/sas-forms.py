"""Makes SAS tokens in the forms that published clients and snippets send, one JSON object a line on stdin, one token a line out.

Each form signs the resource as it then stands in `sr`:
  python       Microsoft's documentation, Python tab: quote_plus to sign, urlencode to send, so upper-case hex
  csharp       the same page, C# tab: WebUtility.UrlEncode, which leaves - _ . ! * ( ) and writes upper-case hex
  java         the same page, Java tab: URLEncoder, which leaves - _ . * and writes upper-case hex
  c            azure-c-shared-utility, sastoken.c and urlencode.c: `sr` not encoded, `sig` in lower-case hex, `skn=` always there
  embedded-c   azure-sdk-for-c, az_iot_hub_client_sas.c: `sr` and `sig` in upper-case hex, slashes of `sr` too
  documented   the order of the documentation's format: sig, se, skn, sr
"""
import base64
import hashlib
import hmac
import json
import sys
from urllib import parse


def quote_leaving(text, safe):
    return ''.join(chr(byte) if chr(byte) in safe else '%%%02X' % byte for byte in text.encode())


ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'


def web_utility(text):
    return quote_leaving(text, ALPHANUMERIC + '-_.!*()')


def url_encoder(text):
    return quote_leaving(text, ALPHANUMERIC + '-_.*')


def lower_hex(text):
    return ''.join(c if c in ALPHANUMERIC + '!()*-._' else '%%%02x' % ord(c) for c in text)


def sign(key, resource, expiry):
    digest = hmac.new(base64.b64decode(key), ('%s\n%d' % (resource, expiry)).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def make(form, resource, key, expiry, policy):
    if form == 'python':
        fields = {'sr': resource, 'sig': sign(key, parse.quote_plus(resource), expiry), 'se': str(expiry)}
        if policy is not None:
            fields['skn'] = policy
        return 'SharedAccessSignature ' + parse.urlencode(fields)
    if form == 'c':
        signature = lower_hex(sign(key, resource, expiry))
        return 'SharedAccessSignature sr=%s&sig=%s&se=%d&skn=%s' % (resource, signature, expiry, policy or '')
    encode = {'csharp': web_utility, 'java': url_encoder, 'embedded-c': lambda t: parse.quote(t, safe=''), 'documented': lambda t: parse.quote(t, safe='')}[form]
    encoded = encode(resource)
    signature = encode(sign(key, encoded, expiry))
    name = '' if policy is None else '&skn=' + policy
    if form == 'documented':
        return 'SharedAccessSignature sig=%s&se=%d%s&sr=%s' % (signature, expiry, name, encoded)
    return 'SharedAccessSignature sr=%s&sig=%s&se=%d%s' % (encoded, signature, expiry, name)


for line in sys.stdin:
    request = json.loads(line)
    print(make(request['form'], request['resource'], request['key'], request['expiry'], request.get('policy')))
