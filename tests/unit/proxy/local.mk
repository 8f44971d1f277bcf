# unit tests of src/proxy
