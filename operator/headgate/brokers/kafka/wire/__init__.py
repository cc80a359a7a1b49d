"""Messages of Kafka's protocol that the client library does not have, as it reads them: one JSON file for each."""
