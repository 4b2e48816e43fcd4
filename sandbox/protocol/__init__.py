"""What a stand-in receives and returns: a Call, its connection to the client, an Answer."""
