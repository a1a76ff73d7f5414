"""Tables made of the records of many cells."""
