# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests are built from: processes, servers, a raw NATS client, a strict reader of expositions."""
