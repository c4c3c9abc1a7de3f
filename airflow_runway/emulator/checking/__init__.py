"""What a request body may look like: the catalogue of the official API, the gateways' schemas, strict JSON.

Law: pure. A body goes in, issues come out; no answer is made here, no HTTP, no other room of the emulator.
"""
